import { Text } from '@mantine/core';
import { formatPercent } from '@/lib/format';
import type { Tone } from '@/lib/status';
import classes from './components.module.css';
import { toneStyle } from './StatusBadge';

function toneOf(percent: number): Tone {
  if (percent >= 92) return 'bad';
  return percent >= 78 ? 'warn' : 'good';
}

export function UsageBar({ label, percent, detail }: { label: string; percent: number | null | undefined; detail?: string }) {
  const value = percent ?? 0;
  return (
    <div
      className={classes.bar}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(value)}
      aria-valuetext={detail ?? formatPercent(percent)}
      title={detail}
    >
      <Text size="xs" c="dimmed" className="numbers" mb={3} lh={1.2} truncate>
        {formatPercent(percent)}
      </Text>
      <div className={classes.barTrack}>
        <div className={classes.barFill} style={{ ...toneStyle(toneOf(value)), width: `${value}%` }} />
      </div>
    </div>
  );
}
