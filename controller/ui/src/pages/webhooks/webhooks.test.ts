import { describe, expect, it } from 'vitest';
import type { EventTypeView } from '@/api/types';
import { eventsInWords, groupsOf, SNIPPETS, stateOfWebhook, urlProblem } from './webhooks';

const type = (name: string, description = '') => ({ type: name, description }) as EventTypeView;

describe('webhooks', () => {
  it('say how they are', () => {
    const state = (active: boolean, disabled_reason: string | null, failing_since: string | null) =>
      stateOfWebhook({ active, disabled_reason, failing_since }).label;
    expect(state(true, null, null)).toBe('Active');
    expect(state(true, null, '2026-01-01T00:00:00Z')).toBe('Failing');
    expect(state(false, 'Nothing came through.', '2026-01-01T00:00:00Z')).toBe('Switched off');
    expect(state(false, null, null)).toBe('Off');
  });

  it('group events by what they are about and leave the ping out', () => {
    const types = [type('instance.started'), type('server.offline', 'A server has lost its connection.'), type('server.online'), type('webhook_endpoint.tested')];
    expect(groupsOf(types).map((group) => [group.noun, group.types.length])).toEqual([['instance', 1], ['server', 2]]);
    expect(groupsOf(types, 'LOST server').flatMap((group) => group.types.map((t) => t.type))).toEqual(['server.offline']);
    expect(groupsOf(types, 'tested')).toEqual([]);
  });

  it('name their events shortly', () => {
    expect(eventsInWords(['*'])).toBe('Everything');
    expect(eventsInWords(['a.b', 'c.d'])).toBe('a.b, c.d');
    expect(eventsInWords(['a.b', 'c.d', 'e.f'])).toBe('a.b, c.d and 1 more');
  });

  it('refuse what is no address', () => {
    expect(urlProblem(' https://example.com/hook ')).toBeNull();
    for (const wrong of ['', 'example.com', 'ftp://example.com', 'https://a:b@example.com']) expect(urlProblem(wrong)).not.toBeNull();
  });
});

describe('the function for receivers', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const now = Math.floor(Date.now() / 1000);
  const body = '{"name":"żółw"}';
  const bytes = (text: string) => new TextEncoder().encode(text);

  async function sign(id: string, time: number, text: string, by = secret): Promise<string> {
    const raw = Uint8Array.from(atob(by.slice(6)), (c) => c.charCodeAt(0));
    const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const signed = new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes(`${id}.${time}.${text}`)));
    return `v1,${btoa(String.fromCharCode(...signed))}`;
  }

  it('takes what is signed, by either secret, and nothing else', async () => {
    const code = `data:text/javascript,${encodeURIComponent(SNIPPETS['Node.js'])}`;
    const { isFromOcore } = (await import(/* @vite-ignore */ code)) as {
      isFromOcore: (secret: string, headers: object, body: Uint8Array) => boolean;
    };
    const check = (signature: string, time = now, text = body) =>
      isFromOcore(secret, { 'webhook-id': 'e1', 'webhook-timestamp': String(time), 'webhook-signature': signature }, bytes(text));
    expect(check(await sign('e1', now, body))).toBe(true);
    expect(check(`${await sign('e1', now, body, 'whsec_b3RoZXI=')} ${await sign('e1', now, body)}`)).toBe(true);
    expect(check(await sign('e1', now, body), now, `${body} `)).toBe(false);
    expect(check(await sign('e2', now, body))).toBe(false);
    expect(check(await sign('e1', now - 600, body), now - 600)).toBe(false);
    expect(check('v1,abc')).toBe(false);
  });
});
