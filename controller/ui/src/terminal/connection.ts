// A terminal's WebSocket, kept through lost connections: it comes back to the same terminal at the byte where it was.
import { asApiError } from '@/api/errors';
import { backoff } from '@/live/sse';

export type TerminalState =
  | { kind: 'connecting' }
  | { kind: 'open'; survivesAgent: boolean }
  /** The way between controller and server is cut; the terminal goes on there. */
  | { kind: 'server-reconnecting'; message: string; retryAt: number | null }
  | { kind: 'waiting'; retryAt: number }
  | { kind: 'exited'; code: number }
  | { kind: 'failed'; code: string; message: string };

type ServerMessage =
  | { type: 'open'; terminal_id: string; offset: number; survives_agent: boolean }
  | { type: 'offset'; offset: number; dropped?: number | null }
  | { type: 'exit'; code: number }
  | { type: 'error'; code: string; message: string }
  | { type: 'reconnecting'; message: string };

export interface Socket {
  binaryType: string;
  readyState: number;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface ConnectionOptions {
  /** Opens the socket with a fresh ticket and these query values. */
  connect: (query: Record<string, string>) => Promise<Socket>;
  /** Asks the same address without a handshake, whose refusal a browser tells to nobody. Throws what it answers. */
  ask: () => Promise<void>;
  /** The terminal to come back to later, or none. */
  onTerminal: (id: string | null) => void;
  onData: (bytes: Uint8Array) => void;
  /** Bytes that can no longer be shown. */
  onDropped: (bytes: number) => void;
  onState: (state: TerminalState) => void;
}

const OPEN = 1;
/** With these the server is away, and not the terminal. */
const SERVER_AWAY = ['agent_offline', 'unavailable', 'terminal_lost'];
/** Keys typed while the connection is away are kept, but not without end. */
const MAX_WAITING_INPUT = 4096;

export class TerminalConnection {
  private socket: Socket | null = null;
  /** Position in the terminal's output of the next byte to be shown. */
  private received = 0;
  /** Position of the next byte that the socket brings. */
  private incoming = 0;
  private attached = false;
  private ended = false;
  /** What the controller said of a server that is away. */
  private away: string | null = null;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waitingInput: Uint8Array<ArrayBuffer>[] = [];
  private generation = 0;

  constructor(
    private readonly options: ConnectionOptions,
    private size: { cols: number; rows: number },
    /** One that is still open from before. */
    private terminalId: string | null = null,
  ) {
    void this.open();
  }

  input(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.ended) return;
    if (this.attached && this.socket?.readyState === OPEN) this.socket.send(bytes);
    else if (this.waitingInput.reduce((n, b) => n + b.length, bytes.length) <= MAX_WAITING_INPUT) this.waitingInput.push(bytes);
  }

  resize(cols: number, rows: number): void {
    if (cols === this.size.cols && rows === this.size.rows) return;
    this.size = { cols, rows };
    if (this.attached) this.sendSize();
  }

  retryNow(): void {
    if (this.ended || this.attached) return;
    clearTimeout(this.timer);
    this.attempt = 0;
    void this.open();
  }

  close(): void {
    this.ended = true;
    this.generation += 1;
    clearTimeout(this.timer);
    this.socket?.close();
  }

  private async open(): Promise<void> {
    const generation = ++this.generation;
    const current = () => generation === this.generation;
    this.options.onState({ kind: 'connecting' });
    const query: Record<string, string> = { cols: String(this.size.cols), rows: String(this.size.rows) };
    if (this.terminalId) {
      query.terminal_id = this.terminalId;
      query.after = String(this.received);
    }
    let socket: Socket;
    try {
      socket = await this.options.connect(query);
    } catch (error) {
      if (current()) this.refused(error);
      return;
    }
    if (!current()) {
      socket.close();
      return;
    }
    this.socket = socket;
    let silent = true;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      silent = false;
      if (typeof data === 'string') this.control(JSON.parse(data) as ServerMessage);
      else this.output(new Uint8Array(data as ArrayBuffer));
    };
    socket.onclose = () => {
      if (!current()) return;
      this.attached = false;
      if (this.ended) return;
      if (!silent) return this.retryLater();
      const answered = (error?: unknown) => {
        if (current() && !this.ended) this.refused(error);
      };
      this.options.ask().then(answered, answered);
    };
  }

  private refused(error: unknown): void {
    const refusal = asApiError(error);
    if (refusal.status === 403 || refusal.status === 404) {
      this.end({ kind: 'failed', code: refusal.code, message: refusal.message });
    } else {
      // It is the way to the controller that is cut now.
      this.away = null;
      this.retryLater();
    }
  }

  private control(message: ServerMessage): void {
    switch (message.type) {
      case 'open':
        if (this.terminalId !== null && this.terminalId !== message.terminal_id) this.received = message.offset;
        this.terminalId = message.terminal_id;
        this.options.onTerminal(message.terminal_id);
        this.attached = true;
        this.away = null;
        this.attempt = 0;
        this.startAt(message.offset);
        this.options.onState({ kind: 'open', survivesAgent: message.survives_agent });
        this.sendSize();
        for (const bytes of this.waitingInput.splice(0)) this.socket?.send(bytes);
        break;
      case 'offset':
        this.startAt(message.offset);
        break;
      case 'reconnecting':
        this.serverAway(message.message);
        break;
      case 'exit':
        this.end({ kind: 'exited', code: message.code });
        break;
      case 'error':
        if (this.terminalId !== null && SERVER_AWAY.includes(message.code)) {
          this.serverAway(message.message);
        } else if (this.terminalId !== null && message.code === 'not_found' && this.received === 0) {
          // Nothing of it was shown here yet, so nobody takes another one for it.
          this.terminalId = null;
          this.options.onTerminal(null);
          void this.open();
        } else this.end({ kind: 'failed', code: message.code, message: message.message });
        break;
    }
  }

  /** The socket is closed next, and after a while opened again. */
  private serverAway(message: string): void {
    this.away = message;
    this.options.onState({ kind: 'server-reconnecting', message, retryAt: null });
  }

  private startAt(offset: number): void {
    this.incoming = offset;
    if (offset > this.received) {
      if (this.received > 0) this.options.onDropped(offset - this.received);
      this.received = offset;
    }
  }

  private output(bytes: Uint8Array): void {
    const doubled = Math.min(bytes.length, Math.max(0, this.received - this.incoming));
    this.incoming += bytes.length;
    if (doubled === bytes.length) return;
    this.received = this.incoming;
    this.options.onData(doubled > 0 ? bytes.subarray(doubled) : bytes);
  }

  private sendSize(): void {
    if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify({ type: 'resize', ...this.size }));
  }

  private end(state: TerminalState): void {
    this.ended = true;
    this.attached = false;
    this.options.onTerminal(null);
    this.options.onState(state);
    this.socket?.close();
  }

  private retryLater(): void {
    this.attempt += 1;
    const delay = backoff(this.attempt);
    const retryAt = Date.now() + delay;
    this.options.onState(
      this.away === null ? { kind: 'waiting', retryAt } : { kind: 'server-reconnecting', message: this.away, retryAt },
    );
    this.timer = setTimeout(() => void this.open(), delay);
  }
}
