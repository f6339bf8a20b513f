import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { errorFromBody, fieldMessages } from './errors';
import { authorizedFetch, onSignedOut } from './session';

const status = (code: number) => new Response(null, { status: code });

describe('authorizedFetch', () => {
  const stored = new Map<string, string>();
  beforeEach(() => {
    stored.clear();
    stored.set('ocore.organization', 'acme');
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => stored.set(key, value),
    });
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
    vi.stubGlobal('fetch', (input: Request | string) => Promise.resolve(status(typeof input === 'string' ? 503 : 401)));
    await expect(authorizedFetch(new Request('http://c.test/api/x'))).rejects.toMatchObject({ code: 'offline' });
    expect(ended).not.toHaveBeenCalled();
    stop();
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
});
