// Follows a log over server-sent events into a buffer, in batches, so that a flood costs a few renders a second.
import { useCallback, useEffect, useRef, useState } from 'react';
import { EventStream, type SseMessage, type StreamState } from '@/live/sse';
import { LogBuffer, type LogView, type NewLine } from './buffer';

const BATCH_MS = 80;

export type LogState = StreamState | { kind: 'ended' };

export interface LogStream extends LogView {
  state: LogState;
  /** Puts older lines before the line with this key; see `LogBuffer.prepend`. */
  prepend: (older: NewLine[], before: string) => string | null;
  /** Whether somebody reads further up and the end may wait. */
  setPaused: (paused: boolean) => void;
}

export interface LogSource {
  /** Asked at each attempt with the last id that was seen. */
  url: (lastId: string | null) => string;
  toLine: (message: SseMessage) => NewLine | null;
  /** Event that says that nothing will follow. */
  endEvent?: string;
  onEnd?: () => void;
}

const EMPTY: LogView = { lines: [], appended: 0, cut: 0 };

/** `key` names the log: another key starts anew. */
export function useLogStream(key: string, source: LogSource): LogStream {
  const [view, setView] = useState(EMPTY);
  const [state, setState] = useState<LogState>({ kind: 'connecting' });
  const current = useRef<{ buffer: LogBuffer; stream: EventStream } | null>(null);
  const paused = useRef(false);
  const latest = useRef(source);
  useEffect(() => {
    latest.current = source;
  });

  useEffect(() => {
    const buffer = new LogBuffer();
    buffer.setPaused(paused.current);
    setView(EMPTY);
    let waiting: NewLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      const batch = waiting;
      waiting = [];
      if (buffer.append(batch)) setView(viewOf(buffer));
      if (buffer.full) stream.pause('full');
    };
    let ended = false;
    const stream = new EventStream({
      url: (lastId) => latest.current.url(lastId),
      onMessage: (message) => {
        if (message.event === latest.current.endEvent) {
          ended = true;
          stream.close();
          setState({ kind: 'ended' });
          latest.current.onEnd?.();
          return;
        }
        const line = latest.current.toLine(message);
        if (!line) return;
        waiting.push(line);
        timer ??= setTimeout(flush, BATCH_MS);
      },
      onState: (next) => {
        if (!ended) setState(next);
      },
    });
    current.current = { buffer, stream };
    return () => {
      stream.close();
      clearTimeout(timer);
    };
  }, [key]);

  const prepend = (older: NewLine[], before: string) => {
    const buffer = current.current?.buffer;
    const top = buffer?.prepend(older, before) ?? null;
    if (buffer && top !== null) setView(viewOf(buffer));
    return top;
  };
  const setPaused = useCallback((next: boolean) => {
    paused.current = next;
    if (!current.current) return;
    const { buffer, stream } = current.current;
    if (buffer.setPaused(next)) setView(viewOf(buffer));
    if (!next) stream.resume('full');
  }, []);
  return { ...view, state, prepend, setPaused };
}

function viewOf({ lines, appended, cut }: LogView): LogView {
  return { lines, appended, cut };
}
