import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { errorFromBody, errorFromResponse, fieldMessages } from './errors';
import { authorizedFetch, onSignedOut, setCurrentOrganization } from './session';

const status = (code: number) => new Response(null, { status: code });

function storage() {
  const stored = new Map<string, string>();
  return {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  };
}

describe('the organization', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('is chosen in each tab alone, and the next tab begins with the last choice', async () => {
    vi.stubGlobal('localStorage', storage());
    // A page is one load of the module; a tab keeps its storage over several.
    const page = async (tab: ReturnType<typeof storage>) => {
      vi.resetModules();
      const session = await import('./session');
      const inTab =
        <A extends unknown[], T>(work: (...args: A) => T) =>
        (...args: A): T => {
          vi.stubGlobal('sessionStorage', tab);
          return work(...args);
        };
      return { current: inTab(session.currentOrganization), choose: inTab(session.setCurrentOrganization) };
    };
    const [one, two] = [storage(), storage()];
    localStorage.setItem('ocore.organization', 'acme');
    const first = await page(one);
    expect(first.current()).toBe('acme');
    const second = await page(two);
    second.choose('globex');
    expect(first.current()).toBe('acme');
    expect((await page(one)).current()).toBe('acme');
    expect((await page(two)).current()).toBe('globex');
    expect((await page(storage())).current()).toBe('globex');
  });
});

describe('authorizedFetch', () => {
  beforeEach(() => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('localStorage', storage());
    vi.stubGlobal('sessionStorage', storage());
    setCurrentOrganization('acme');
  });
  afterEach(() => void vi.unstubAllGlobals());

  it('refreshes once for many, then repeats each with its body', async () => {
    let valid = false;
    let refreshes = 0;
    const bodies: string[] = [];
    vi.stubGlobal('fetch', async (input: Request | string) => {
      if (typeof input === 'string') {
        refreshes += 1;
        await new Promise((done) => setTimeout(done, 5));
        valid = true;
        return status(200);
      }
      expect(input.headers.get('X-Org-Slug')).toBe('acme');
      if (!valid) return status(401);
      bodies.push(await input.text());
      return status(200);
    });
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((body) => authorizedFetch(new Request('http://c.test/api/x', { method: 'POST', body }))),
    );
    expect(answers.map((a) => a.status)).toEqual([200, 200, 200]);
    expect(refreshes).toBe(1);
    expect(bodies.sort()).toEqual(['a', 'b', 'c']);
  });

  it('says that the session has ended when it cannot be refreshed', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(status(401)));
    const ended = vi.fn();
    const stop = onSignedOut(ended);
    expect((await authorizedFetch(new Request('http://c.test/api/x'))).status).toBe(401);
    expect(ended).toHaveBeenCalledOnce();
    stop();
  });

  it('does not take a wrong password, or a controller that is away, for an ended session', async () => {
    const ended = vi.fn();
    const stop = onSignedOut(ended);
    vi.stubGlobal('fetch', () => Promise.resolve(status(401)));
    await authorizedFetch(new Request('http://c.test/api/auth/login', { method: 'POST', body: '{}' }));
    for (const path of ['login/totp', 'passkey/login/finish', 'reset-password']) {
      const answer = await authorizedFetch(new Request(`http://c.test/api/auth/${path}`, { method: 'POST', body: '{}' }));
      expect(answer.status).toBe(401);
    }
    vi.stubGlobal('fetch', (input: Request | string) => Promise.resolve(status(typeof input === 'string' ? 503 : 401)));
    await expect(authorizedFetch(new Request('http://c.test/api/x'))).rejects.toMatchObject({ code: 'offline' });
    expect(ended).not.toHaveBeenCalled();
    stop();
  });

  it('takes only a refused refresh for the end, not one that came too often', async () => {
    const ended = vi.fn();
    const stop = onSignedOut(ended);
    const refreshAnswers = (code: number) =>
      vi.stubGlobal('fetch', (input: Request | string) =>
        Promise.resolve(status(typeof input === 'string' ? code : 401)),
      );
    refreshAnswers(429);
    await expect(authorizedFetch(new Request('http://c.test/api/x'))).rejects.toMatchObject({ status: 429 });
    expect(ended).not.toHaveBeenCalled();
    for (const code of [400, 401, 403]) {
      refreshAnswers(code);
      await authorizedFetch(new Request('http://c.test/api/x'));
    }
    expect(ended).toHaveBeenCalledTimes(3);
    stop();
  });

  it('does not believe in a refresh of another tab that is still to come', async () => {
    const refresh = vi.fn(() => status(200));
    vi.stubGlobal('fetch', (input: Request | string) =>
      Promise.resolve(typeof input === 'string' ? refresh() : status(refresh.mock.calls.length > 0 ? 200 : 401)),
    );
    localStorage.setItem('ocore.refreshed-at', String(Date.now() + 3_600_000));
    expect((await authorizedFetch(new Request('http://c.test/api/x'))).status).toBe(200);
    expect(refresh).toHaveBeenCalledOnce();
  });

  it('gives up a refresh that hangs, so that no tab waits for it without end', async () => {
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => AbortSignal.abort(new Error('late')));
    vi.stubGlobal('fetch', (input: Request | string, init?: RequestInit) =>
      typeof input === 'string' ? Promise.reject(init?.signal?.reason as Error) : Promise.resolve(status(401)),
    );
    await expect(authorizedFetch(new Request('http://c.test/api/x'))).rejects.toMatchObject({ code: 'offline' });
    expect(timeout).toHaveBeenCalledWith(15_000);
    timeout.mockRestore();
  });
});

describe('errors', () => {
  it('finds the fields of both shapes', () => {
    const one = errorFromBody(422, { error: { code: 'invalid', message: 'Taken', details: { field: 'slug' } } });
    expect(fieldMessages(one, { slug: 'name' })).toEqual({ name: 'Taken' });
    const many = errorFromBody(422, {
      error: { code: 'invalid', message: 'No', errors: [{ field: 'limits.memory_mb', message: 'Too much' }, { field: 'x', message: '?' }] },
    });
    expect(fieldMessages(many, { limits: 'limits' })).toEqual({ limits: 'Too much' });
  });
  it('makes do without a body', () => {
    expect(errorFromBody(502, undefined).message).toContain('502');
  });
  it('carry the id that finds the request in the log', async () => {
    const body = JSON.stringify({ error: { code: 'internal', message: 'Something went wrong.' } });
    const error = await errorFromResponse(new Response(body, { status: 500, headers: { 'X-Request-Id': 'r-1' } }));
    expect(error).toMatchObject({ status: 500, code: 'internal', requestId: 'r-1' });
  });
});
