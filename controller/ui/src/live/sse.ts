// Server-sent events over fetch. Unlike EventSource it sees the status of a refused connection, can renew the session,
// and resumes with Last-Event-ID also after the address of the stream has changed.
import { authorizedFetch } from '@/api/session';
import { ApiError, errorFromBody } from '@/api/errors';

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

/** A stream that stays connected until it is closed. */
export class EventStream {
  private lastId: string | null;
  private attempt = 0;
  private closed = false;
  private connection: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: StreamOptions) {
    this.lastId = options.lastId ?? null;
    void this.run();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.connection?.abort();
  }

  /** Connect now: the address has changed, or a person does not want to wait. */
  reconnect(): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.attempt = 0;
    const running = this.connection;
    this.connection = null;
    running?.abort();
    void this.run();
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
    if (this.closed || this.connection !== connection) return;
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
    const response = await authorizedFetch(
      new Request(url, { headers, signal: connection.signal, cache: 'no-store' }),
    );
    if (!response.ok || !response.body) {
      throw errorFromBody(response.status, await response.json().catch(() => undefined));
    }
    this.attempt = 0;
    this.options.onState?.({ kind: 'live' });
    const parser = new SseParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => connection.abort(), this.options.silenceMs ?? 45_000);
    };
    try {
      for (alive(); ; alive()) {
        const { value, done } = await reader.read();
        if (done || this.closed || this.connection !== connection) return;
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
