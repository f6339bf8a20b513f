import type { AdminUser, UserStatus } from '@/api/types';
import { plural } from '@/lib/format';
import type { State } from '@/lib/status';

export const userState: Record<UserStatus, State> = {
  active: { label: 'Active', tone: 'good' },
  suspended: { label: 'Suspended', tone: 'bad' },
  deactivated: { label: 'Closed', tone: 'idle' },
};

/** `authenticator app, 2 passkeys`. */
export function factorsOf({ totp_enabled, passkey_count }: AdminUser): string {
  const factors = [totp_enabled && 'authenticator app', passkey_count > 0 && plural(passkey_count, 'passkey')];
  const text = factors.filter(Boolean).join(', ');
  return text ? text.charAt(0).toUpperCase() + text.slice(1) : 'None';
}
