import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backoff, EventStream, SseParser, type SseMessage, type StreamState } from './sse';

describe('SseParser', () => {
  const text = ': hello\r\n\r\nid: 7-a\nevent: log\ndata: {"a":1}\n\ndata: one\ndata: two\n\nevent: nothing\n\n';
  const whole = [
    { event: 'log', data: '{"a":1}', id: '7-a' },
    { event: 'message', data: 'one\ntwo', id: null },
  ];

  it('gives whole messages, whatever the cuts', () => {
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new SseParser();
      expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]).toEqual(whole);
    }
  });

  it('takes single characters', () => {
    const parser = new SseParser();
    expect([...text].flatMap((c) => parser.push(c))).toEqual(whole);
  });
});

describe('backoff', () => {
  it('grows, stays bounded and never is zero', () => {
    expect(backoff(1, () => 0)).toBe(250);
    expect(backoff(3, () => 1)).toBe(2000);
    expect(backoff(50, () => 1)).toBe(20_000);
  });
});

describe('EventStream', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('window', { location: { origin: 'http://console.test' } });
    vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const answer = (text: string) => new Response(text, { headers: { 'content-type': 'text/event-stream' } });

  it('comes back with the last id, and hands it to the address', async () => {
    const asked: (string | null)[] = [];
    const urls: string[] = [];
    vi.stubGlobal('fetch', (request: Request) => {
      asked.push(request.headers.get('Last-Event-ID'));
      urls.push(request.url);
      return Promise.resolve(answer(`id: ${asked.length}\nevent: log\ndata: x\n\n`));
    });
    const seen: SseMessage[] = [];
    const stream = new EventStream({ url: (id) => `/logs?after=${id ?? ''}`, onMessage: (m) => seen.push(m) });
    await vi.advanceTimersByTimeAsync(700);
    stream.close();
    expect(asked.slice(0, 2)).toEqual([null, '1']);
    expect(urls[1]).toBe('http://console.test/logs?after=1');
    expect(seen[0]?.data).toBe('x');
  });

  it('says why it waits, and connects at once when asked to', async () => {
    let attempts = 0;
    vi.stubGlobal('fetch', () => {
      attempts += 1;
      return Promise.reject(new TypeError('network'));
    });
    const states: StreamState[] = [];
    const stream = new EventStream({ url: () => '/events', onMessage: () => undefined, onState: (s) => states.push(s) });
    await vi.advanceTimersByTimeAsync(1);
    expect(states.map((s) => s.kind)).toEqual(['connecting', 'waiting']);
    stream.reconnect();
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts).toBe(2);
    stream.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toBe(2);
  });
});
