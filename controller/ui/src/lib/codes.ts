// Codes of second factors, as people type, read and keep them.

/** The digits of what was typed or pasted, at most six. */
export function digitsOf(typed: string): string {
  return typed.replace(/\D/g, '').slice(0, 6);
}

/** A long secret in groups of four, to be typed into an app. */
export function grouped(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, '$1 ');
}

/** What goes into the file of recovery codes. */
export function recoveryText(codes: string[], email: string, origin: string, day: string): string {
  return [
    `Recovery codes for oCore`,
    `${email} at ${origin}, made on ${day}`,
    '',
    ...codes,
    '',
    'Each works once in place of a code of the authenticator app.',
    '',
  ].join('\n');
}
