import { ActionIcon, Badge, Box, Button, Group, Menu, Table, Text } from '@mantine/core';
import { IconArchive, IconDots, IconNote, IconPin, IconPlus, IconRestore, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { instanceBackupsQuery } from '@/api/backupQueries';
import { api, unwrap } from '@/api/client';
import { destinationsQuery } from '@/api/destinationQueries';
import { keys } from '@/api/queries';
import type { Backup, Instance } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { JobLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatBytes, formatDateTime, formatDuration } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { backupState, flaws, keptBecause, KIND_WORDS } from './backups';
import { NewBackupDialog, NoteDialog, RestoreDialog } from './BackupDialogs';

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

/** An instance's backups: what there is, making one, putting one back. */
export default function InstanceBackups({ instance }: { instance: Instance }) {
  const { id } = instance;
  const manages = useHeld().at({ type: 'environment', id: instance.environment_id }).has('manage:backups');
  const paging = usePaging(id);
  const backups = useQuery(instanceBackupsQuery(id, paging.query));
  const destinations = useQuery(destinationsQuery);
  const [asking, setAsking] = useState(false);
  const [action, setAction] = useState<Action | null>(null);
  const close = () => setAction(null);
  const subject = (kind: Action['kind']) =>
    (action?.kind === kind && backups.data?.data.find((backup) => backup.id === action.id)) || null;
  const noted = subject('note');
  const removed = subject('delete');
  const button = manages && (
    <Button size="xs" leftSection={<IconPlus size={15} />} onClick={() => setAsking(true)} disabled={instance.active_job_id != null} data-new data-testid="new-backup">
      Back up now
    </Button>
  );
  return (
    <>
      {destinations.data && !destinations.data.some((one) => one.is_off_site) && (
        <Notice tone="warn" title="No backup outlives the server" icon={<IconArchive size={18} />} testId="no-off-site">
          All destinations are on the server’s own disk. Add a bucket or an SSH server under Backup destinations.
        </Notice>
      )}
      <Panel title="Backups" flush aside={button}>
        <PagedList
          label="Backups of the instance"
          query={backups}
          paging={paging}
          noun="backup"
          columns={[
            { label: 'As of' },
            { label: 'State' },
            { label: 'Size', from: 'sm' },
            { label: 'Destination', from: 'md' },
            { label: 'Kind', from: 'md' },
            { label: 'Actions', hiddenLabel: true },
          ]}
          empty={
            <EmptyState
              icon={<IconArchive size={22} />}
              title="No backup yet"
              text="A backup holds the database and its attachments as of one moment; Odoo goes on serving while it is made."
            />
          }
        >
          {(backup) => (
            <Row
              key={backup.id}
              backup={backup}
              busy={instance.active_job_id != null}
              onAction={manages ? (kind) => setAction({ kind, id: backup.id }) : undefined}
            />
          )}
        </PagedList>
      </Panel>
      {asking && <NewBackupDialog instance={instance} onClose={() => setAsking(false)} />}
      {noted && <NoteDialog key={noted.id} instanceId={id} backup={noted} onClose={close} />}
      <RestoreDialog instance={instance} backup={subject('restore')} onClose={close} />
      <ConfirmRemoval
        subject={removed}
        remove={remove}
        done="The backup is being deleted"
        stale={[keys.instance(id), keys.jobs]}
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

function Row({ backup, busy, onAction }: { backup: Backup; busy: boolean; onAction?: (kind: Action['kind']) => void }) {
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
                disabled={status !== 'succeeded' || busy}
                title={busy ? 'A job works on the instance; wait for it' : undefined}
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
