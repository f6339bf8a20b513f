// A backup in a list, and what is done with one.
import { ActionIcon, Badge, Box, Group, Menu, Table, Text } from '@mantine/core';
import { IconDots, IconNote, IconPin, IconRestore, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { Backup } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { InstanceLink, JobLink } from '@/components/Links';
import type { Column } from '@/components/ListTable';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatBytes, formatDateTime, formatDuration } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { backupState, flaws, keptBecause, KIND_WORDS } from './backups';
import { NoteDialog, RestoreDialog } from './BackupDialogs';

type Action = { kind: 'restore' | 'note' | 'delete'; id: string };

function remove({ id, version, status, size_bytes }: Backup) {
  return unwrap(
    api.DELETE('/api/backups/{id}', {
      // Of one that has failed there is nothing to delete.
      params: { path: { id }, query: { forget: status === 'failed' && size_bytes == null } },
      headers: { 'If-Match': `"${version}"` },
    }),
  );
}

export const COLUMNS: Column[] = [
  { label: 'As of' },
  { label: 'State' },
  { label: 'Size', from: 'sm' },
  { label: 'Destination', from: 'md' },
  { label: 'Kind', from: 'md' },
  { label: 'Actions', hiddenLabel: true },
];

/** What is being done with one of these backups. */
export function useBackupAction(backups: Backup[] | undefined) {
  const [action, setAction] = useState<Action | null>(null);
  return {
    begin: (kind: Action['kind'], id: string) => setAction({ kind, id }),
    close: () => setAction(null),
    subject: (kind: Action['kind']) => (action?.kind === kind && backups?.find((backup) => backup.id === action.id)) || null,
  };
}

/** The dialogs of what is being done. */
export function BackupActions({ acting: { subject, close } }: { acting: ReturnType<typeof useBackupAction> }) {
  const noted = subject('note');
  const removed = subject('delete');
  return (
    <>
      {noted && <NoteDialog key={noted.id} backup={noted} onClose={close} />}
      <RestoreDialog backup={subject('restore')} onClose={close} />
      <ConfirmRemoval
        subject={removed}
        remove={remove}
        done="The backup is being deleted"
        stale={[keys.backups, keys.instance(removed?.instance_id ?? ''), keys.jobs]}
        title="Delete the backup"
        action="Delete it"
        onClose={close}
      >
        {removed &&
          (removed.status === 'failed'
            ? 'Nothing is left of it; only its line here goes.'
            : `What ${removed.destination_name} holds of ${formatDateTime(removed.snapshot_at)} is gone for good.`)}
      </ConfirmRemoval>
    </>
  );
}

function BackupState({ backup }: { backup: Backup }) {
  const { status, failure, job_id, duration_seconds } = backup;
  const told = status === 'succeeded' ? flaws(backup) : [];
  return (
    <>
      <StatusBadge state={stateOf(backupState, status)} title={failure?.message} />
      {failure && (
        <Text size="xs" c="dimmed" maw={340} lineClamp={3} title={failure.message}>
          {failure.message}
        </Text>
      )}
      {told.map((flaw) => (
        <Text key={flaw} size="xs" c="orange">
          {flaw}
        </Text>
      ))}
      <Text size="xs" c="dimmed">
        {status === 'succeeded' && duration_seconds != null ? (
          <JobLink id={job_id}>in {formatDuration(duration_seconds * 1000)}</JobLink>
        ) : (
          <JobLink id={job_id}>steps and log</JobLink>
        )}
      </Text>
    </>
  );
}

export interface BackupRowProps {
  backup: Backup;
  /** A job works on its instance. */
  busy: boolean;
  /** Whose it is, where that is not clear. */
  withInstance?: boolean;
  onAction?: (kind: Action['kind']) => void;
}

export function BackupRow({ backup, busy, withInstance = false, onAction }: BackupRowProps) {
  const { id, status, snapshot_at, created_at, size_bytes, destination_name, is_off_site, kind, is_pinned, note, database_bytes, attachments } = backup;
  const kept = keptBecause(backup);
  const at = snapshot_at ?? created_at;
  return (
    <Table.Tr data-testid="backup-row" data-status={status} data-backup={id}>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>
        <Group gap={6}>
          <b>{formatDateTime(at)}</b>
          {is_pinned && <IconPin size={14} aria-label="Pinned" />}
        </Group>
        <Text size="xs" c="dimmed">
          <TimeAgo at={at} />
        </Text>
        {withInstance && (
          <Text size="sm">{backup.instance_id ? <InstanceLink id={backup.instance_id}>{backup.instance_name}</InstanceLink> : `${backup.instance_name} (gone)`}</Text>
        )}
        {note && <Text size="xs">{note}</Text>}
        <Text size="xs" c="dimmed" hiddenFrom="md">
          {destination_name}
        </Text>
      </Table.Td>
      <Table.Td>
        <BackupState backup={backup} />
      </Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        {size_bytes == null ? '' : formatBytes(size_bytes)}
        {database_bytes != null && (
          <Text size="xs" c="dimmed">
            of {formatBytes(database_bytes)} and {formatBytes(attachments?.bytes)}
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="md" style={{ overflowWrap: 'anywhere' }}>
        {destination_name}
        {is_off_site && (
          <Box mt={2}>
            <Badge size="sm" color="green" variant="light" tt="none">
              off-site
            </Badge>
          </Box>
        )}
      </Table.Td>
      <Table.Td visibleFrom="md">{KIND_WORDS[kind]}</Table.Td>
      <Table.Td ta="right">
        {onAction && (
          <Menu position="bottom-end" width={200}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for the backup of ${formatDateTime(at)}`} data-testid="backup-actions">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconRestore size={16} />}
                disabled={status !== 'succeeded' || busy || backup.instance_id == null}
                title={busy ? 'A job works on the instance; wait for it' : backup.instance_id == null ? 'Its instance is gone; the guide says how it goes into another one' : undefined}
                onClick={() => onAction('restore')}
                data-testid="action-restore"
              >
                Restore
              </Menu.Item>
              <Menu.Item leftSection={<IconNote size={16} />} onClick={() => onAction('note')} data-testid="action-note">
                Note and pin
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} disabled={kept != null} title={kept} onClick={() => onAction('delete')} data-testid="action-delete">
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
