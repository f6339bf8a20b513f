// Server-sent events over fetch. Unlike EventSource it sees the status of a refused connection, can renew the session,
// and resumes with Last-Event-ID also after the address of the stream has changed.
import { authorizedFetch } from '@/api/session';
import { ApiError, errorFromResponse } from '@/api/errors';

export interface SseMessage {
  event: string;
  data: string;
  /** Set when this message carried an id of its own. */
  id: string | null;
}

/** Takes text in any cuts and gives whole messages. */
export class SseParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;

  push(chunk: string): SseMessage[] {
    const messages: SseMessage[] = [];
    const text = this.rest + chunk;
    // A carriage return at the very end may be half of a line end.
    const lines = text.endsWith('\r') ? text.slice(0, -1).split(/\r\n|\n|\r/) : text.split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? '') + (text.endsWith('\r') ? '\r' : '');
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) {
          messages.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id });
        }
        this.event = '';
        this.data = [];
        this.id = null;
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') this.event = value;
      else if (field === 'data') this.data.push(value);
      else if (field === 'id') this.id = value;
    }
    return messages;
  }
}

export type StreamState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'waiting'; retryAt: number; error: ApiError };

export interface StreamOptions {
  /** Asked before each attempt: a resumed stream may need another address. */
  url: (lastId: string | null) => string;
  lastId?: string | null;
  onMessage: (message: SseMessage) => void;
  onState?: (state: StreamState) => void;
  /** Without a byte for this long (the controller sends a comment every 15 s) the connection is taken for dead. */
  silenceMs?: number;
}

/** Time to wait before attempt `n` (from 1): grows to 20 s, with jitter so that a thousand consoles do not return at once. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(20_000, 500 * 2 ** Math.min(attempt - 1, 6));
  return ceiling / 2 + random() * (ceiling / 2);
}

/** Without TLS a browser has six connections to a controller in all: tabs that nobody looks at let theirs go. */
const HIDDEN_MS = 30_000;

/** Why a stream is not connected for now: its page is hidden, or what it brings has no room. */
type Pause = 'hidden' | 'full';

/** A stream that stays connected until it is closed. */
export class EventStream {
  private lastId: string | null;
  private attempt = 0;
  private closed = false;
  private connection: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hideTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly pauses = new Set<Pause>();

  constructor(private readonly options: StreamOptions) {
    this.lastId = options.lastId ?? null;
    void this.run();
    this.onVisibility();
    globalThis.document?.addEventListener('visibilitychange', this.onVisibility);
  }

  close(): void {
    this.closed = true;
    globalThis.document?.removeEventListener('visibilitychange', this.onVisibility);
    clearTimeout(this.hideTimer);
    this.disconnect();
  }

  /** Connect now: the address has changed, or a person does not want to wait. */
  reconnect(): void {
    if (this.closed || this.pauses.size > 0) return;
    this.disconnect();
    this.attempt = 0;
    void this.run();
  }

  /** Let the connection go; `resume` goes on after the last id. */
  pause(why: Pause): void {
    this.pauses.add(why);
    this.disconnect();
  }

  resume(why: Pause): void {
    if (this.pauses.delete(why)) this.reconnect();
  }

  private readonly onVisibility = () => {
    clearTimeout(this.hideTimer);
    if (globalThis.document?.hidden) this.hideTimer = setTimeout(() => this.pause('hidden'), HIDDEN_MS);
    else this.resume('hidden');
  };

  private disconnect(): void {
    clearTimeout(this.timer);
    const running = this.connection;
    this.connection = null;
    running?.abort();
  }

  private async run(): Promise<void> {
    const connection = new AbortController();
    this.connection = connection;
    this.options.onState?.({ kind: 'connecting' });
    let error: ApiError;
    try {
      await this.read(connection);
      error = new ApiError(0, 'stream_ended', 'The live connection ended.');
    } catch (cause) {
      error = cause instanceof ApiError ? cause : new ApiError(0, 'interrupted', 'The connection was interrupted.');
    }
    if (this.connection !== connection) return;
    if (error.status === 401) return;
    this.attempt += 1;
    const delay = backoff(this.attempt);
    this.options.onState?.({ kind: 'waiting', retryAt: Date.now() + delay, error });
    this.timer = setTimeout(() => void this.run(), delay);
  }

  private async read(connection: AbortController): Promise<void> {
    const headers = new Headers({ Accept: 'text/event-stream' });
    if (this.lastId) headers.set('Last-Event-ID', this.lastId);
    const url = new URL(this.options.url(this.lastId), window.location.origin);
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => connection.abort(), this.options.silenceMs ?? 45_000);
    };
    // From here on: an attempt that hangs is as dead as a connection that fell silent.
    alive();
    try {
      const response = await authorizedFetch(
        new Request(url, { headers, signal: connection.signal, cache: 'no-store' }),
      );
      if (!response.ok || !response.body) throw await errorFromResponse(response);
      if (this.connection !== connection) return;
      this.attempt = 0;
      this.options.onState?.({ kind: 'live' });
      const parser = new SseParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (alive(); ; alive()) {
        const { value, done } = await reader.read();
        if (done || this.connection !== connection) return;
        for (const message of parser.push(value)) {
          if (message.id) this.lastId = message.id;
          this.options.onMessage(message);
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }
}
