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

  /** Connections that say one thing and then nothing. */
  function openFor() {
    const signals: AbortSignal[] = [];
    const asked: (string | null)[] = [];
    vi.stubGlobal('fetch', (request: Request) => {
      signals.push(request.signal);
      asked.push(request.headers.get('Last-Event-ID'));
      const text = `id: ${signals.length}\nevent: log\ndata: x\n\n`;
      return Promise.resolve(new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode(text)) })));
    });
    return { signals, asked, open: () => signals.filter((s) => !s.aborted).length };
  }

  it('lets its connection go while nobody looks, and goes on after the last id', async () => {
    const page = Object.assign(new EventTarget(), { hidden: false });
    vi.stubGlobal('document', page);
    const show = (hidden: boolean) => {
      page.hidden = hidden;
      page.dispatchEvent(new Event('visibilitychange'));
    };
    const connections = openFor();
    const stream = new EventStream({ url: () => '/events', onMessage: () => undefined });
    await vi.advanceTimersByTimeAsync(10);
    show(true);
    await vi.advanceTimersByTimeAsync(29_000);
    show(false);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(connections.open()).toBe(1);
    show(true);
    await vi.advanceTimersByTimeAsync(31_000);
    stream.reconnect();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(connections).toMatchObject({ asked: [null] });
    expect(connections.open()).toBe(0);
    show(false);
    await vi.advanceTimersByTimeAsync(10);
    expect(connections.asked).toEqual([null, '1']);
    expect(connections.open()).toBe(1);
    stream.close();
    show(true);
    show(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connections.asked).toHaveLength(2);
    expect(connections.open()).toBe(0);
  });

  it('waits without a connection while what it brings has no room', async () => {
    const connections = openFor();
    const stream = new EventStream({ url: () => '/events', onMessage: () => undefined });
    await vi.advanceTimersByTimeAsync(10);
    stream.pause('full');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(connections.open()).toBe(0);
    stream.resume('full');
    await vi.advanceTimersByTimeAsync(10);
    expect(connections.asked).toEqual([null, '1']);
    stream.close();
  });

  it('tries again when an attempt hangs', async () => {
    let attempts = 0;
    vi.stubGlobal('fetch', (request: Request) => {
      attempts += 1;
      return new Promise((_, fail) => request.signal.addEventListener('abort', () => fail(new Error('aborted'))));
    });
    const stream = new EventStream({ url: () => '/events', onMessage: () => undefined, silenceMs: 10_000 });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(attempts).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(attempts).toBe(2);
    stream.close();
  });
});
