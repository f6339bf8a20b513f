// The signed-in session: which organization requests are for, and one refresh at a time when a cookie has expired.
import { ofTab, readStored, writeStored } from '@/lib/storage';
import { ApiError, errorFromResponse, offlineError } from './errors';

const ORGANIZATION = 'ocore.organization';
const REFRESHED_AT = 'ocore.refreshed-at';
/** All tabs wait while one refreshes. */
const REFRESH_TIMEOUT_MS = 15_000;
/** What a refresh is answered with once the session has ended. Anything else passes. */
const ENDED = [400, 401, 403];

/** Every request that signs in, refreshes or signs out says that it wants cookies. */
export const COOKIE_SESSION = { 'X-Session': 'cookie' } as const;

let chosen: string | null = null;

/** Each tab has its own, kept over a reload; a new tab begins with the one that was chosen last in any. */
export function currentOrganization(): string | null {
  if (chosen === null) {
    chosen = readStored(ORGANIZATION, ofTab) ?? readStored(ORGANIZATION);
    writeStored(ORGANIZATION, chosen, ofTab);
  }
  return chosen;
}

export function setCurrentOrganization(slug: string | null): void {
  chosen = slug;
  writeStored(ORGANIZATION, slug, ofTab);
  writeStored(ORGANIZATION, slug);
}

const signedOutListeners = new Set<() => void>();

/** Called when the session has ended and cannot be refreshed. */
export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener);
  return () => signedOutListeners.delete(listener);
}

let refreshing: Promise<boolean> | null = null;

/** Refresh once for all waiting requests of this tab, and once for all tabs where the browser has locks. */
function refreshSession(failedAt: number): Promise<boolean> {
  refreshing ??= withLock(async () => {
    const otherTab = Number(readStored(REFRESHED_AT) ?? 0);
    // A time to come was written before the clock was set back.
    if (otherTab > failedAt && otherTab <= Date.now()) return true;
    const response = await fetch('/api/auth/refresh', {
      method: 'POST',
      headers: { ...COOKIE_SESSION, 'Content-Type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(REFRESH_TIMEOUT_MS),
    });
    if (response.ok) writeStored(REFRESHED_AT, String(Date.now()));
    else if (response.status >= 500) throw offlineError();
    else if (!ENDED.includes(response.status)) throw await errorFromResponse(response);
    return response.ok;
  }).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** For requests that do not go through `authorizedFetch`: whether they can be sent again. */
export async function renewSession(): Promise<boolean> {
  const renewed = await refreshSession(Date.now()).catch(() => true);
  if (!renewed) signedOutListeners.forEach((listener) => listener());
  return renewed;
}

async function withLock<T>(work: () => Promise<T>): Promise<T> {
  // Browsers have locks in secure contexts only.
  return navigator.locks ? await navigator.locks.request('ocore.refresh', work) : await work();
}

/** `fetch` with the organization, and with one silent retry after the session has been refreshed. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const organization = currentOrganization();
  if (organization && !isAboutUser(request.url)) request.headers.set('X-Org-Slug', organization);
  const retry = request.clone();
  const sentAt = Date.now();
  const response = await send(request);
  if (response.status !== 401 || isSigningIn(request.url)) return response;
  let refreshed: boolean;
  try {
    refreshed = await refreshSession(sentAt);
  } catch (error) {
    throw error instanceof ApiError ? error : offlineError();
  }
  if (refreshed) {
    const again = await send(retry);
    if (again.status !== 401) return again;
  }
  signedOutListeners.forEach((listener) => listener());
  return response;
}

async function send(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw offlineError();
  }
}

/** Asked before it is known which organizations there are: the stored one may be another account's. */
function isAboutUser(url: string): boolean {
  const { pathname } = new URL(url);
  return isSigningIn(url) || pathname === '/api/user' || pathname.startsWith('/api/user/');
}

/** Its 401 is about what was typed, not about a session. */
function isSigningIn(url: string): boolean {
  const { pathname } = new URL(url);
  return pathname.startsWith('/api/auth/') && pathname !== '/api/auth/ws-ticket';
}
