// Follows a log over server-sent events into a buffer, in batches, so that a flood costs a few renders a second.
import { useEffect, useRef, useState } from 'react';
import { EventStream, type SseMessage, type StreamState } from '@/live/sse';
import { LogBuffer, type LogLine, type NewLine } from './buffer';

const BATCH_MS = 80;

export type LogState = StreamState | { kind: 'ended' };

export interface LogStream {
  lines: readonly LogLine[];
  appended: number;
  state: LogState;
  prepend: (older: NewLine[]) => void;
}

export interface LogSource {
  /** Asked at each attempt with the last id that was seen. */
  url: (lastId: string | null) => string;
  toLine: (message: SseMessage) => NewLine | null;
  /** Event that says that nothing will follow. */
  endEvent?: string;
  onEnd?: () => void;
}

/** `key` names the log: another key starts anew. */
export function useLogStream(key: string, source: LogSource): LogStream {
  const [buffer, setBuffer] = useState(() => new LogBuffer());
  const [view, setView] = useState<{ lines: readonly LogLine[]; appended: number }>(buffer);
  const [state, setState] = useState<LogState>({ kind: 'connecting' });
  const latest = useRef(source);
  useEffect(() => {
    latest.current = source;
  });

  useEffect(() => {
    const fresh = new LogBuffer();
    setBuffer(fresh);
    setView({ lines: fresh.lines, appended: 0 });
    let waiting: NewLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      const batch = waiting;
      waiting = [];
      if (fresh.append(batch)) setView({ lines: fresh.lines, appended: fresh.appended });
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
    return () => {
      stream.close();
      clearTimeout(timer);
    };
  }, [key]);

  const prepend = (older: NewLine[]) => {
    if (buffer.prepend(older)) setView({ lines: buffer.lines, appended: buffer.appended });
  };
  return { ...view, state, prepend };
}
