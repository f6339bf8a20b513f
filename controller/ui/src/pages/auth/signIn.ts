// What the ways of signing in have in common.
import { useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { useCallback, useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { ApiError, asApiError } from '@/api/errors';
import { COOKIE_SESSION } from '@/api/session';
import type { LoginAnswer, PasskeyAsserted } from '@/api/types';
import { askPasskey, hasAutofill, passkeyProblem, type AskOptions } from '@/lib/webauthn';
import { safeNext } from './next';

/** Somebody has signed in: nothing that was read before is theirs. */
export function useSignedIn(next: string | undefined): (further?: string) => void {
  const client = useQueryClient();
  const router = useRouter();
  return useCallback(
    (further) => {
      client.clear();
      router.history.push(safeNext(further ?? next));
    },
    [client, router, next],
  );
}

/** Asks the device for a passkey and signs in with it. */
export async function passkeySignIn(body: { mfa_token?: string }, ask: AskOptions = {}): Promise<LoginAnswer> {
  const options = await unwrap(api.POST('/api/auth/passkey/login/begin', { body, signal: ask.signal }));
  let answer: PasskeyAsserted;
  try {
    answer = await askPasskey(options, ask);
  } catch (error) {
    const problem = passkeyProblem(error);
    throw problem && !ask.signal?.aborted ? new ApiError(-1, 'passkey', problem) : error;
  }
  return unwrap(api.POST('/api/auth/passkey/login/finish', { body: answer, headers: COOKIE_SESSION }));
}

/** Shorter than the five minutes that a challenge lives. */
const ROUND_MS = 4 * 60_000;

/**
 * Offers passkeys while an address is typed, where the browser can. `unavailable` says that this address of the
 * controller has none.
 */
export function usePasskeyAutofill(on: boolean, onSignedIn: () => void) {
  const [unavailable, setUnavailable] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    if (!on) return;
    const stopped = new AbortController();
    const rounds = async () => {
      if (!(await hasAutofill())) return;
      while (!stopped.signal.aborted) {
        const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(ROUND_MS)]);
        try {
          await passkeySignIn({}, { autofill: true, signal });
          if (!stopped.signal.aborted) onSignedIn();
          return;
        } catch (problem) {
          if (stopped.signal.aborted) return;
          if (signal.aborted) continue;
          const told = asApiError(problem);
          if (told.code === 'passkeys_unavailable') setUnavailable(true);
          // A passkey was chosen and refused: that is worth a word, and another one may be chosen.
          if (told.status !== 401) return;
          setError(told);
        }
      }
    };
    // It is an offer on top: where it fails, the button is there.
    void rounds().catch(() => undefined);
    return () => stopped.abort();
  }, [on, onSignedIn]);
  return { unavailable, error };
}
