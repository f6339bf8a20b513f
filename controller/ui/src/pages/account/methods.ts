// How somebody signed in, and why not, in words.
import { humanize } from '@/lib/format';

const METHODS: Record<string, string> = {
  totp: 'code of the app',
  'oauth:github': 'GitHub',
  'oauth:google': 'Google',
};

const REASONS: Record<string, string> = {
  wrong_password: 'Wrong password',
  wrong_code: 'Wrong code',
  account_closed: 'Account closed',
  passkey_refused: 'Passkey refused',
  passkey_copied: 'Passkey may be copied',
  email_unverified: 'Address not confirmed',
};

/** `password+totp` → `password and code of the app`. */
export function methodWords(method: string): string {
  return method
    .split('+')
    .map((one) => METHODS[one] ?? one.replace(/^oauth:/, '').replace(/_/g, ' '))
    .join(' and ');
}

export function reasonWords(reason: string | null | undefined): string {
  return reason ? (REASONS[reason] ?? humanize(reason)) : 'Refused';
}
