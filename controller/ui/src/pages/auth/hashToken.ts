// Mailed links carry their token behind `#`: no server and no log sees it.
import { useState } from 'react';

export function useHashToken(): string | null {
  const [token] = useState(() => new URLSearchParams(window.location.hash.slice(1)).get('token'));
  return token;
}
