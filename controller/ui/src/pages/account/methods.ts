// How somebody signed in, and why not, in words.
import { humanize } from '@/lib/format';

const METHODS: Record<string, string> = {
  password: 'Password',
  passkey: 'Passkey',
  totp: 'Code of the app',
  recovery_code: 'Recovery code',
  link: 'Mailed link',
  bootstrap: 'First start',
  signup: 'Sign-up',
};

const REASONS: Record<string, string> = {
  wrong_password: 'Wrong password',
  wrong_code: 'Wrong code',
  account_closed: 'Account closed',
  passkey_refused: 'Passkey refused',
  passkey_copied: 'Passkey may be copied',
  email_unverified: 'Address not confirmed',
};

/** `password+totp` → `Password and code of the app`. */
export function methodWords(method: string): string {
  return method
    .split('+')
    .map((one) => METHODS[one] ?? (one.startsWith('oauth:') ? humanize(one.slice('oauth:'.length)) : humanize(one)))
    .map((word, index) => (index === 0 ? word : word.charAt(0).toLowerCase() + word.slice(1)))
    .join(' and ');
}

export function reasonWords(reason: string | null): string {
  return reason ? (REASONS[reason] ?? humanize(reason)) : 'Refused';
}
