import { Dot } from '@/components/StatusBadge';
import { useNow } from '@/lib/now';
import type { LogState } from './useLogStream';

/** Whether the log is live, paused by the reader, cut off, or ended, and whether all of it is here then. */
export function StreamNote({ state, following, whole }: { state: LogState; following: boolean; whole: boolean }) {
  const now = useNow(true);
  switch (state.kind) {
    case 'connecting':
      return (
        <>
          <Dot tone="busy" /> Connecting
        </>
      );
    case 'live':
      return following ? (
        <>
          <Dot tone="good" /> Live
        </>
      ) : (
        <>
          <Dot tone="warn" /> Paused here; new lines wait below
        </>
      );
    case 'waiting':
      return (
        <>
          <Dot tone="bad" />
          {`${state.error.message} Next attempt in ${Math.max(0, Math.ceil((state.retryAt - now) / 1000))} s${state.error.isOffline ? '; no line is lost' : ''}.`}
        </>
      );
    case 'ended':
      return (
        <>
          <Dot tone="idle" /> {whole ? 'Complete' : 'Ended'}
        </>
      );
  }
}
