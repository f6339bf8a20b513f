import { describe, expect, it } from 'vitest';
import { flaws, keptBecause, restoreLosses } from './backups';

describe('backups', () => {
  it('tells what was missing on the server', () => {
    expect(flaws({ attachments: { files: 9, bytes: 9, missing: 0, damaged: 0 } })).toEqual([]);
    expect(flaws({ attachments: null })).toEqual([]);
    expect(flaws({ attachments: { files: 9, bytes: 9, missing: 2, damaged: 1 } })).toEqual([
      '2 attachments of the database not on the server',
      '1 attachment damaged on the server',
    ]);
  });

  it('says what a restore hides', () => {
    expect(restoreLosses({ snapshot_at: '2026-01-02T03:04:05Z' })[0]).toContain('2026');
  });

  it('deletes only what nobody needs now', () => {
    expect(keptBecause({ status: 'succeeded', is_pinned: false })).toBeUndefined();
    expect(keptBecause({ status: 'failed', is_pinned: false })).toBeUndefined();
    expect(keptBecause({ status: 'succeeded', is_pinned: true })).toBe('It is pinned');
    expect(keptBecause({ status: 'running', is_pinned: false })).toContain('cancel its job');
  });
});
