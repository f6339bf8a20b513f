import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/errors';
import { TerminalConnection, type Socket, type TerminalState } from './connection';

class FakeSocket implements Socket {
  binaryType = '';
  readyState = 1;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  sent: (string | Uint8Array)[] = [];
  send(data: string | Uint8Array<ArrayBuffer>) {
    this.sent.push(data);
  }
  close() {
    this.readyState = 3;
  }
  says(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  prints(text: string) {
    this.onmessage?.({ data: new TextEncoder().encode(text).buffer });
  }
  breaks() {
    this.readyState = 3;
    this.onclose?.({ code: 1006, reason: '' });
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);
const opened = { type: 'open', terminal_id: 't1', offset: 0, survives_agent: true };

interface SetUp {
  connect?: () => Promise<Socket>;
  /** What the address answers without a handshake. */
  plainly?: () => ApiError;
  /** A terminal from before. */
  earlier?: string;
}

function setUp({ connect, plainly, earlier }: SetUp = {}) {
  const sockets: FakeSocket[] = [];
  const queries: Record<string, string>[] = [];
  const states: TerminalState[] = [];
  const kept: (string | null)[] = [];
  let screen = '';
  let lost = 0;
  const connection = new TerminalConnection(
    {
      connect: (query) => {
        queries.push(query);
        const socket = new FakeSocket();
        sockets.push(socket);
        return connect?.() ?? Promise.resolve(socket);
      },
      ask: () => Promise.reject(plainly?.() ?? new ApiError(400, 'validation_error', 'This takes a WebSocket handshake.')),
      onTerminal: (id) => kept.push(id),
      onData: (data) => (screen += new TextDecoder().decode(data)),
      onDropped: (n) => (lost += n),
      onState: (state) => states.push(state),
    },
    { cols: 80, rows: 24 },
    earlier,
  );
  return { connection, sockets, queries, states, kept, screen: () => screen, lost: () => lost };
}

describe('TerminalConnection', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it('comes back to the same terminal at the byte where it was, without doubled output', async () => {
    const t = setUp();
    await settle();
    t.sockets[0]?.says(opened);
    t.sockets[0]?.prints('hello ');
    t.sockets[0]?.breaks();
    expect(t.states.at(-1)?.kind).toBe('waiting');
    t.connection.input(bytes('typed'));
    await vi.advanceTimersByTimeAsync(600);
    expect(t.queries[1]).toMatchObject({ terminal_id: 't1', after: '6' });
    // A server that replays a little too much.
    t.sockets[1]?.says({ ...opened, offset: 3 });
    t.sockets[1]?.prints('lo world');
    expect(t.screen()).toBe('hello world');
    expect(t.sockets[1]?.sent).toContainEqual(bytes('typed'));
    expect(t.lost()).toBe(0);
  });

  it('says how many bytes are lost', async () => {
    const t = setUp();
    await settle();
    t.sockets[0]?.says(opened);
    t.sockets[0]?.prints('abc');
    t.sockets[0]?.says({ type: 'offset', offset: 103, dropped: 100 });
    t.sockets[0]?.prints('xyz');
    expect(t.lost()).toBe(100);
    expect(t.screen()).toBe('abcxyz');
  });

  it('ends with the shell and does not come back', async () => {
    const t = setUp();
    await settle();
    t.sockets[0]?.says(opened);
    t.sockets[0]?.says({ type: 'exit', code: 3 });
    t.sockets[0]?.breaks();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(t.states.at(-1)).toEqual({ kind: 'exited', code: 3 });
    expect(t.sockets).toHaveLength(1);
  });

  it('sends the size when attached and when it changes', async () => {
    const t = setUp();
    await settle();
    t.connection.resize(100, 30);
    t.sockets[0]?.says(opened);
    t.connection.resize(100, 30);
    t.connection.resize(90, 20);
    expect(t.sockets[0]?.sent).toEqual(['{"type":"resize","cols":100,"rows":30}', '{"type":"resize","cols":90,"rows":20}']);
  });

  it('gives up where it is forbidden, and goes on trying where nobody answers', async () => {
    const forbidden = setUp({ connect: () => Promise.reject(new ApiError(403, 'forbidden', 'You may not.')) });
    await settle();
    expect(forbidden.states.at(-1)).toEqual({ kind: 'failed', code: 'forbidden', message: 'You may not.' });
    const away = setUp({ connect: () => Promise.reject(new ApiError(0, 'offline', 'away')) });
    await vi.advanceTimersByTimeAsync(3000);
    expect(away.queries.length).toBeGreaterThan(2);
    away.connection.close();
  });

  it('waits for a server that is away, whose terminals go on', async () => {
    const t = setUp();
    await settle();
    t.sockets[0]?.says(opened);
    t.sockets[0]?.prints('hello');
    t.sockets[0]?.says({ type: 'reconnecting', message: 'The connection to the server was lost.' });
    t.sockets[0]?.breaks();
    const refusals = ['agent_offline', 'unavailable', 'terminal_lost'];
    for (const code of refusals) {
      await vi.advanceTimersByTimeAsync(20_000);
      t.sockets.at(-1)?.says({ type: 'error', code, message: 'The server is away.' });
      t.sockets.at(-1)?.breaks();
      expect(t.states.at(-1)).toMatchObject({ kind: 'server-reconnecting', message: 'The server is away.' });
      expect(t.states.at(-1)).not.toMatchObject({ retryAt: null });
    }
    await vi.advanceTimersByTimeAsync(20_000);
    expect(t.queries.at(-1)).toMatchObject({ terminal_id: 't1', after: '5' });
    t.sockets.at(-1)?.says({ ...opened, offset: 5 });
    expect(t.states.at(-1)?.kind).toBe('open');
    expect(t.kept).not.toContain(null);
    t.connection.close();
  });

  it('ends when the terminal is gone, or when there never was one', async () => {
    const gone = setUp();
    await settle();
    gone.sockets[0]?.says(opened);
    gone.sockets[0]?.prints('hello');
    gone.sockets[0]?.breaks();
    await vi.advanceTimersByTimeAsync(600);
    gone.sockets[1]?.says({ type: 'error', code: 'not_found', message: 'There is no such terminal.' });
    expect(gone.states.at(-1)).toMatchObject({ kind: 'failed', code: 'not_found' });
    expect(gone.kept).toEqual(['t1', null]);
    const never = setUp();
    await settle();
    never.sockets[0]?.says({ type: 'error', code: 'agent_offline', message: 'The server is away.' });
    expect(never.states.at(-1)).toMatchObject({ kind: 'failed', code: 'agent_offline' });
  });

  it('asks why a handshake was refused, which a browser does not tell', async () => {
    const revoked = setUp({ plainly: () => new ApiError(403, 'forbidden', 'You may not.') });
    await settle();
    revoked.sockets[0]?.breaks();
    await settle();
    expect(revoked.states.at(-1)).toEqual({ kind: 'failed', code: 'forbidden', message: 'You may not.' });
    const deleted = setUp({ plainly: () => new ApiError(404, 'not_found', 'There is no such server.') });
    await settle();
    deleted.sockets[0]?.breaks();
    await settle();
    expect(deleted.states.at(-1)).toMatchObject({ kind: 'failed', code: 'not_found' });
    const well = setUp();
    await settle();
    well.sockets[0]?.breaks();
    await settle();
    expect(well.states.at(-1)?.kind).toBe('waiting');
    await vi.advanceTimersByTimeAsync(600);
    expect(well.queries).toHaveLength(2);
    well.connection.close();
  });

  it('goes on with a terminal from before, from its first byte', async () => {
    const t = setUp({ earlier: 't0' });
    await settle();
    expect(t.queries[0]).toMatchObject({ terminal_id: 't0', after: '0' });
    t.sockets[0]?.says({ ...opened, terminal_id: 't0' });
    t.sockets[0]?.says({ type: 'offset', offset: 70, dropped: 70 });
    t.sockets[0]?.prints('as before');
    expect(t.screen()).toBe('as before');
    expect(t.lost()).toBe(0);
    t.sockets[0]?.says({ type: 'exit', code: 0 });
    expect(t.kept).toEqual(['t0', null]);
  });

  it('opens another one when the one from before is gone', async () => {
    const t = setUp({ earlier: 't0' });
    await settle();
    t.sockets[0]?.says({ type: 'error', code: 'not_found', message: 'There is no such terminal.' });
    t.sockets[0]?.breaks();
    await settle();
    expect(t.queries).toHaveLength(2);
    expect(t.queries[1]).not.toHaveProperty('terminal_id');
    t.sockets[1]?.says(opened);
    expect(t.states.at(-1)?.kind).toBe('open');
    expect(t.kept).toEqual([null, 't1']);
  });
});
