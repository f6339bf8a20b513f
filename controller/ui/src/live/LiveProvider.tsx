// One live connection per tab. It keeps the caches fresh, remembers what happened and says whether it is up.
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { keys } from '@/api/queries';
import type { Event } from '@/api/types';
import { EVENTS, ofTab, readStored, writeStored } from '@/lib/storage';
import { CacheUpdater } from './apply';
import { effectsOf, rememberEvent } from './reducer';
import { EventStream, type StreamState } from './sse';

interface Live {
  state: StreamState;
  events: Event[];
  retry: () => void;
  watch: (serverId: string) => () => void;
}

const LiveContext = createContext<Live | null>(null);

interface Remembered {
  lastId: string | null;
  events: Event[];
}

function remembered(key: string): Remembered {
  try {
    const stored = JSON.parse(readStored(key, ofTab) ?? 'null') as Remembered | null;
    if (stored && Array.isArray(stored.events)) return stored;
  } catch {
    // Written by another version.
  }
  return { lastId: null, events: [] };
}

export function LiveProvider({
  userId,
  organization,
  onEvent,
  children,
}: {
  userId: string;
  organization: string;
  onEvent: (event: Event) => void;
  children: ReactNode;
}) {
  const client = useQueryClient();
  const storageKey = `${EVENTS}${userId}.${organization}`;
  const [state, setState] = useState<StreamState>({ kind: 'connecting' });
  const [events, setEvents] = useState<Event[]>(() => remembered(storageKey).events);
  const watched = useRef(new Map<string, number>());
  const stream = useRef<EventStream | null>(null);
  const notify = useRef(onEvent);
  useEffect(() => {
    notify.current = onEvent;
  }, [onEvent]);

  useEffect(() => {
    const updater = new CacheUpdater(client);
    const memory = remembered(storageKey);
    let wasLive = false;
    const connection = new EventStream({
      lastId: memory.lastId,
      url: () => {
        const query = new URLSearchParams({ org: organization });
        for (const id of watched.current.keys()) query.append('watch', id);
        return `/api/events?${query}`;
      },
      onMessage: (message) => {
        if (message.id) memory.lastId = message.id;
        for (const effect of effectsOf(message)) {
          updater.apply(effect);
          if (effect.kind === 'reset') memory.lastId = null;
          if (effect.kind === 'happened') {
            memory.events = rememberEvent(memory.events, effect.event);
            setEvents(memory.events);
            notify.current(effect.event);
          }
        }
        if (message.id) writeStored(storageKey, JSON.stringify(memory), ofTab);
      },
      onState: (next) => {
        setState(next);
        // What is not durable (progress, metrics, bare changes) may have been missed in between.
        if (next.kind === 'live' && wasLive) void client.invalidateQueries({ predicate: (q) => q.queryKey[0] !== keys.user[0] });
        if (next.kind === 'live') wasLive = true;
        // Not let in any more: perhaps removed from the organization, or it is gone.
        if (next.kind === 'waiting' && [403, 404].includes(next.error.status)) {
          void client.invalidateQueries({ queryKey: keys.user });
        }
      },
    });
    stream.current = connection;
    const online = () => connection.reconnect();
    window.addEventListener('online', online);
    return () => {
      window.removeEventListener('online', online);
      connection.close();
      updater.stop();
    };
  }, [client, organization, storageKey]);

  const retry = useCallback(() => stream.current?.reconnect(), []);
  const watch = useCallback((id: string) => {
    const counts = watched.current;
    const change = (by: number) => {
      const before = counts.get(id) ?? 0;
      const after = before + by;
      if (after > 0) counts.set(id, after);
      else counts.delete(id);
      return (before > 0) !== (after > 0);
    };
    // Leaving is not worth a new connection: the next one that is made no longer asks for this server.
    if (change(1)) stream.current?.reconnect();
    return () => void change(-1);
  }, []);

  const live = useMemo(() => ({ state, events, retry, watch }), [state, events, retry, watch]);
  return <LiveContext.Provider value={live}>{children}</LiveContext.Provider>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('useLive needs a LiveProvider');
  return live;
}

/** Ask for close samples of a server for as long as it is shown. */
export function useWatch(serverId: string): void {
  const { watch } = useLive();
  useEffect(() => watch(serverId), [watch, serverId]);
}
