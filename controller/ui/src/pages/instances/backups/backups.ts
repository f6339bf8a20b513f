// What is said of backups, and when something can be done with one.
import type { Backup, BackupKind, BackupStatus } from '@/api/types';
import { formatDateTime, plural } from '@/lib/format';
import type { State } from '@/lib/status';

export const backupState: Record<BackupStatus, State> = {
  running: { label: 'Being made', tone: 'busy' },
  succeeded: { label: 'Whole', tone: 'good' },
  failed: { label: 'Failed', tone: 'bad' },
  deleting: { label: 'Being deleted', tone: 'busy' },
};

export const KIND_WORDS: Record<BackupKind, string> = {
  manual: 'By hand',
  scheduled: 'Scheduled',
  before_upgrade: 'Before an upgrade',
  before_restore: 'Before a restore',
  before_delete: 'Before a deletion',
};

/** What is not as it should be in one that is whole. */
export function flaws({ attachments }: Pick<Backup, 'attachments'>): string[] {
  if (!attachments) return [];
  const { missing, damaged } = attachments;
  return [
    ...(missing > 0 ? [`${plural(missing, 'attachment')} of the database not on the server`] : []),
    ...(damaged > 0 ? [`${plural(damaged, 'attachment')} damaged on the server`] : []),
  ];
}

/** What is lost when it takes the place of what is there, a line each. */
export function restoreLosses({ snapshot_at }: Pick<Backup, 'snapshot_at'>): string[] {
  return [`Everything that was written since ${formatDateTime(snapshot_at)} is out of sight`];
}

/** Why it cannot be deleted now. */
export function keptBecause({ status, is_pinned }: Pick<Backup, 'status' | 'is_pinned'>): string | undefined {
  if (is_pinned) return 'It is pinned';
  if (status === 'running') return 'It is being made; cancel its job instead';
  return status === 'deleting' ? 'It is being deleted already' : undefined;
}
