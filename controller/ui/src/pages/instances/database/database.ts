// An instance's PostgreSQL in words and figures, and what is sent to change it.
import type { DatabaseCounters, DatabaseMetrics, DatabaseSetting, MaintenanceAction } from '@/api/types';
import { share } from '@/lib/format';

export const ACTIONS: Record<MaintenanceAction, { label: string; about: string; blocks: boolean }> = {
  vacuum: { label: 'Vacuum', about: 'Frees the space of deleted rows for new ones. Odoo serves meanwhile.', blocks: false },
  analyze: { label: 'Analyze', about: 'Counts anew what the planner of queries goes by. Odoo serves meanwhile.', blocks: false },
  reindex: { label: 'Reindex', about: 'Builds the indexes anew beside the old ones. Odoo serves meanwhile.', blocks: false },
  vacuum_full: {
    label: 'Vacuum full',
    about: 'Writes tables anew and gives space back to the disk. Each table is locked while its turn lasts: Odoo waits.',
    blocks: true,
  },
};

export interface Reading {
  at: number;
  counters: DatabaseCounters;
}

export interface Rates {
  /** Transactions a second. */
  transactions: number;
  /** Of them taken back, in per cent. */
  rollbacks: number;
  rowsRead: number;
  rowsWritten: number;
}

export function readingOf({ at, counters }: DatabaseMetrics): Reading {
  return { at: Date.parse(at), counters };
}

/** What two readings of counters that only grow tell; null when there is too little between them, or PostgreSQL began anew. */
export function ratesOf(before: Reading | null, now: Reading): Rates | null {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  if (!before || seconds < 1) return null;
  const grown = (name: keyof DatabaseCounters) => Number(now.counters[name] ?? 0) - Number(before.counters[name] ?? 0);
  const [commits, rollbacks] = [grown('commits'), grown('rollbacks')];
  if (commits < 0 || rollbacks < 0) return null;
  const rows = grown('rows_inserted') + grown('rows_updated') + grown('rows_deleted');
  return {
    transactions: (commits + rollbacks) / seconds,
    rollbacks: share(rollbacks, commits + rollbacks),
    rowsRead: grown('rows_returned') / seconds,
    rowsWritten: rows / seconds,
  };
}

/** What is wished of settings: a text, or null for what oCore or PostgreSQL decide. */
export type Wishes = Record<string, string | null>;

/** Wishes that would change something. */
export function changesOf(wishes: Wishes, settings: DatabaseSetting[]): Wishes {
  const known = new Map(settings.map((setting) => [setting.name, setting]));
  return Object.fromEntries(
    Object.entries(wishes).filter(([name, wish]) => {
      const setting = known.get(name);
      if (!setting) return false;
      return wish === null ? setting.source === 'set' : wish.trim() !== (setting.value ?? '') || setting.source !== 'set';
    }),
  );
}

/** Whether one of them takes a restart of PostgreSQL. */
export function takesRestart(changes: Wishes, settings: DatabaseSetting[]): boolean {
  return settings.some(({ name, applies }) => applies === 'restart' && name in changes);
}

/** Between what it may be, in a few words. */
export function rangeText({ least, most, words }: DatabaseSetting): string {
  if (words.length > 0) return words.join(', ');
  if (least && most) return `${least} to ${most}`;
  return least ? `at least ${least}` : most ? `at most ${most}` : '';
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

export function databaseNameProblem(name: string): string | null {
  return NAME.test(name.trim()) ? null : 'A letter, then letters, digits, _ and -; up to 63';
}

/** Share of reads that found what they wanted in memory. */
export function cacheText(ratio: number | null | undefined): string {
  return ratio == null ? '–' : `${(Math.floor(ratio * 1000) / 10).toString()} %`;
}
