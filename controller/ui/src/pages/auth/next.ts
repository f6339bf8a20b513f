// Where a sign-in leads, and what it may still owe.
/** The pages that lead in; nobody is sent back to one of them. */
const WAYS_IN = ['/login', '/signup', '/forgot-password', '/reset-password', '/verify-email', '/bootstrap'];

/** Only a path of this console: never another site. */
export function safeNext(next: string | undefined): string {
  if (!next || !/^\/(?![/\\])/.test(next)) return '/';
  const path = next.split(/[?#]/)[0] ?? '';
  return WAYS_IN.includes(path) ? '/' : next;
}

/** A sign-in that waits for its second factor. */
export interface Owed {
  token: string;
  methods: string[];
  expiresAt: number;
  next: string;
}

const OWED_SECONDS = 300;

/** As it comes back from a provider: behind `#`, where no log sees it. */
export function owedOfHash(hash: string, now: number): Owed | null {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const token = given.get('mfa_token');
  if (!token) return null;
  const methods = given.get('methods')?.split(',') ?? [];
  return { token, methods, expiresAt: now + OWED_SECONDS * 1000, next: safeNext(given.get('return_to') ?? undefined) };
}

/** Where a button of a provider leads. */
export function providerHref(id: string, next: string | undefined): string {
  return `/api/auth/oauth/${encodeURIComponent(id)}?${new URLSearchParams({ return_to: safeNext(next) }).toString()}`;
}
