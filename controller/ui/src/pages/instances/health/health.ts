// What is said of an instance's health, in words.
import type { CheckName, CheckState, Crashes, HealthState, UptimeDay } from '@/api/types';
import { formatDuration, formatPercent } from '@/lib/format';
import type { State, Tone } from '@/lib/status';

export const healthWords: Record<HealthState, State> = {
  unknown: { label: 'Not known yet', tone: 'idle' },
  stopped: { label: 'Stopped on purpose', tone: 'idle' },
  starting: { label: 'Warming up', tone: 'busy' },
  healthy: { label: 'Healthy', tone: 'good' },
  unhealthy: { label: 'Unhealthy', tone: 'bad' },
  crash_looping: { label: 'Ends again and again', tone: 'bad' },
};

export const checkWords: Record<CheckState, State> = {
  ok: { label: 'Works', tone: 'good' },
  starting: { label: 'Starting', tone: 'busy' },
  failing: { label: 'Fails', tone: 'bad' },
  unknown: { label: 'Not known', tone: 'idle' },
  not_applicable: { label: 'Not looked at', tone: 'idle' },
};

export const CHECKS: Record<CheckName, { title: string; how: string }> = {
  container: { title: 'Container', how: 'Docker runs it.' },
  http: { title: 'Odoo', how: 'It answers requests.' },
  database: { title: 'Database', how: 'PostgreSQL takes connections.' },
  realtime: { title: 'Live bus', how: 'Chat and notifications, on a port of their own.' },
};

/** `137`, out of memory, or nothing that is known. */
export function endText({ exit_code, out_of_memory }: Crashes): string {
  if (out_of_memory) return 'it wanted more memory than it may have';
  return exit_code == null ? 'why is not known' : `exit code ${exit_code}`;
}

/** The colour of a day: how much of the time that counts it was there. */
export function dayTone({ percent }: UptimeDay): Tone {
  if (percent == null) return 'idle';
  if (percent >= 99.9) return 'good';
  return percent >= 98 ? 'warn' : 'bad';
}

export function dayText({ day, percent, unhealthy_seconds }: UptimeDay): string {
  if (percent == null) return `${day}: not measured`;
  const away = unhealthy_seconds > 0 ? `, away for ${formatDuration(unhealthy_seconds * 1000)}` : '';
  return `${day}: ${uptimeText(percent)}${away}`;
}

/** Nines are not rounded away. */
export function uptimeText(percent: number | null | undefined): string {
  if (percent == null) return '–';
  return percent > 99 && percent < 100 ? `${(Math.floor(percent * 1000) / 1000).toString()} %` : formatPercent(percent);
}

/** The last days, the oldest first; those that nothing is known of are there, too. */
export function lastDays(days: UptimeDay[], count: number, today: string): UptimeDay[] {
  const known = new Map(days.map((day) => [day.day, day]));
  const end = Date.parse(`${today}T00:00:00Z`);
  return Array.from({ length: count }, (_, index) => {
    const day = new Date(end - (count - 1 - index) * 86_400_000).toISOString().slice(0, 10);
    return known.get(day) ?? { day, healthy_seconds: 0, unhealthy_seconds: 0, percent: null };
  });
}
