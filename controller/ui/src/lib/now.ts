// One clock for all relative times on the page.
import { useSyncExternalStore } from 'react';

function clock(everyMs: number) {
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const listeners = new Set<() => void>();
  return {
    subscribe(listener: () => void) {
      if (listeners.size === 0) {
        now = Date.now();
        timer = setInterval(() => {
          now = Date.now();
          listeners.forEach((l) => l());
        }, everyMs);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
    read: () => now,
  };
}

const slow = clock(10_000);
const fast = clock(1_000);

/** The time, renewed every 10 s, or every second for what is running. */
export function useNow(everySecond = false): number {
  const source = everySecond ? fast : slow;
  return useSyncExternalStore(source.subscribe, source.read);
}
