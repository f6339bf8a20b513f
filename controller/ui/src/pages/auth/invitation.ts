// The token of an invitation's link. It stays in this tab while somebody signs in, and never goes into an address that is
// sent or logged.
import { ofTab, readStored, writeStored } from '@/lib/storage';

const INVITATION = 'ocore.invitation';

export function tokenOfInvitation(): string | null {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('token');
  if (!token) return readStored(INVITATION, ofTab);
  writeStored(INVITATION, token, ofTab);
  return token;
}

export function forgetInvitation(): void {
  writeStored(INVITATION, null, ofTab);
}
