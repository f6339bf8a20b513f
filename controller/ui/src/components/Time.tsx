import { formatAgo, formatDateTime, formatDuration } from '@/lib/format';
import { useNow } from '@/lib/now';

export function TimeAgo({ at, never = 'never' }: { at: string | null | undefined; never?: string }) {
  const now = useNow();
  if (!at) return <>{never}</>;
  return (
    <time dateTime={at} title={formatDateTime(at)}>
      {formatAgo(at, now)}
    </time>
  );
}

/** When something is due; what is overdue happens as soon as it can. */
export function Due({ at }: { at: string }) {
  const now = useNow();
  return Date.parse(at) <= now ? <>any moment</> : <TimeAgo at={at} />;
}

/** How long something took, or has been taking so far. */
export function Elapsed({ from, to }: { from: string | null | undefined; to: string | null | undefined }) {
  if (!from) return <>–</>;
  if (to) return <span className="numbers">{formatDuration(Date.parse(to) - Date.parse(from))}</span>;
  return <Running from={from} />;
}

function Running({ from }: { from: string }) {
  const now = useNow(true);
  // Whole seconds: tenths would only flicker.
  const seconds = Math.max(1, Math.floor((now - Date.parse(from)) / 1000));
  return <span className="numbers">{formatDuration(seconds * 1000)}</span>;
}
