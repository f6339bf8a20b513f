import { describe, expect, it } from 'vitest';
import type { DatabaseCounters, DatabaseSetting } from '@/api/types';
import { cacheText, changesOf, databaseNameProblem, rangeText, ratesOf, takesRestart } from './database';

const COUNTERS = {
  commits: 1000, rollbacks: 10, rows_returned: 0, rows_inserted: 0, rows_updated: 0, rows_deleted: 0,
} as DatabaseCounters;

const setting = (over: Partial<DatabaseSetting>): DatabaseSetting => ({
  name: 'work_mem', about: '', applies: 'reload', source: 'postgresql', pending_restart: false, value: '4MB', words: [], ...over,
});

describe('rates', () => {
  it('come from two readings', () => {
    const later = { ...COUNTERS, commits: 1090, rollbacks: 20, rows_updated: 50, rows_returned: 1000 };
    expect(ratesOf({ at: 0, counters: COUNTERS }, { at: 10_000, counters: later })).toEqual({
      transactions: 10, rollbacks: 10, rowsRead: 100, rowsWritten: 5,
    });
  });

  it('are not known from one, or after PostgreSQL began anew', () => {
    expect(ratesOf(null, { at: 10_000, counters: COUNTERS })).toBeNull();
    expect(ratesOf({ at: 0, counters: COUNTERS }, { at: 10_000, counters: { ...COUNTERS, commits: 3 } })).toBeNull();
  });
});

describe('settings', () => {
  const settings = [setting({}), setting({ name: 'shared_buffers', applies: 'restart', value: '256MB', source: 'set' })];

  it('are changes only where something changes', () => {
    expect(changesOf({ work_mem: '32MB', shared_buffers: '256MB' }, settings)).toEqual({ work_mem: '32MB' });
    expect(changesOf({ work_mem: null, shared_buffers: null, other: 'x' }, settings)).toEqual({ shared_buffers: null });
  });

  it('tell whether they take a restart', () => {
    expect(takesRestart({ work_mem: '32MB' }, settings)).toBe(false);
    expect(takesRestart({ shared_buffers: '1GB' }, settings)).toBe(true);
  });

  it('say what they may be', () => {
    expect(rangeText(setting({ least: '64kB', most: '2GB' }))).toBe('64kB to 2GB');
    expect(rangeText(setting({ words: ['on', 'off'] }))).toBe('on, off');
    expect(rangeText(setting({}))).toBe('');
  });
});

it('names are as PostgreSQL takes them', () => {
  expect([databaseNameProblem('shop-2'), databaseNameProblem('2shop')]).toEqual([null, 'A letter, then letters, digits, _ and -; up to 63']);
});

it('a ratio is not rounded up', () => {
  expect([cacheText(0.99999), cacheText(1), cacheText(null)]).toEqual(['99.9 %', '100 %', '–']);
});
