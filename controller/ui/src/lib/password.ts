// Passwords: the rules that the API enforces, a rough strength, and good random ones.

export const PASSWORD_RULES = [
  { label: 'At least 8 characters', holds: (p: string) => [...p].length >= 8 },
  { label: 'A letter', holds: (p: string) => /\p{L}/u.test(p) },
  { label: 'A digit', holds: (p: string) => /\d/.test(p) },
];

export function passwordProblem(password: string): string | null {
  const broken = PASSWORD_RULES.find((rule) => !rule.holds(password));
  return broken ? `Missing: ${broken.label.toLowerCase()}` : null;
}

/** 0-100. Length counts most; kinds of characters help; one character repeated does not. */
export function passwordStrength(password: string): number {
  if (!password) return 0;
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(password)).length;
  const distinct = new Set(password).size;
  const points = Math.min(distinct, 16) * 4.5 + (kinds - 1) * 9;
  return Math.round(passwordProblem(password) ? Math.min(30, points) : Math.min(100, points));
}

export function strengthWord(strength: number): string {
  if (strength < 35) return 'weak';
  if (strength < 60) return 'fair';
  if (strength < 80) return 'good';
  return 'strong';
}

// Without characters that look alike.
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

export function generatePassword(length = 20): string {
  for (;;) {
    const bytes = crypto.getRandomValues(new Uint8Array(length * 2));
    // Bytes above the last whole multiple would make the first letters more likely.
    const fair = 256 - (256 % ALPHABET.length);
    const password = [...bytes]
      .filter((b) => b < fair)
      .map((b) => ALPHABET.charAt(b % ALPHABET.length))
      .join('')
      .slice(0, length);
    if (password.length === length && !passwordProblem(password)) return password;
  }
}
