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

function setUp(connect?: () => Promise<Socket>) {
  const sockets: FakeSocket[] = [];
  const queries: Record<string, string>[] = [];
  const states: TerminalState[] = [];
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
      onData: (data) => (screen += new TextDecoder().decode(data)),
      onDropped: (n) => (lost += n),
      onState: (state) => states.push(state),
    },
    { cols: 80, rows: 24 },
  );
  return { connection, sockets, queries, states, screen: () => screen, lost: () => lost };
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
    const forbidden = setUp(() => Promise.reject(new ApiError(403, 'forbidden', 'You may not.')));
    await settle();
    expect(forbidden.states.at(-1)).toEqual({ kind: 'failed', code: 'forbidden', message: 'You may not.' });
    const away = setUp(() => Promise.reject(new ApiError(0, 'offline', 'away')));
    await vi.advanceTimersByTimeAsync(3000);
    expect(away.queries.length).toBeGreaterThan(2);
    away.connection.close();
  });
});
