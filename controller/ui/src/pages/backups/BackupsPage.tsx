import { Group } from '@mantine/core';
import { IconArchive, IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useHeld } from '@/access/useHeld';
import { backupsQuery } from '@/api/backupQueries';
import { backupStatusValues, type BackupStatus } from '@/api/types';
import { PagedList } from '@/components/PagedList';
import { PageHeader } from '@/components/PageHeader';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { StatusFilter } from '@/components/StatusFilter';
import { BackupActions, BackupRow, COLUMNS, useBackupAction } from '@/pages/instances/backups/BackupRow';
import { backupState } from '@/pages/instances/backups/backups';

/** All backups of the organization: they outlive what they are of. */
export default function BackupsPage() {
  const search = useSearch({ from: '/app/backups' });
  const navigate = useNavigate({ from: '/backups' });
  const status = backupStatusValues.find((value) => value === search.status);
  const { at, everywhere } = useHeld();
  const paging = usePaging(status ?? '');
  const backups = useQuery(backupsQuery({ ...paging.query, status }));
  const acting = useBackupAction(backups.data?.data);
  const manages = (environment: string | null | undefined) =>
    (environment ? at({ type: 'environment', id: environment }) : everywhere).has('manage:backups');
  const set = (value: BackupStatus | undefined) => void navigate({ search: { status: value }, replace: true });
  return (
    <>
      <PageHeader title="Backups" subtitle="Everything that can be put back, also of instances that are gone." />
      <Panel flush>
        <Group p="sm">
          <StatusFilter value={status} all={backupStatusValues} states={backupState} onChange={set} />
        </Group>
        <PagedList
          label="Backups"
          query={backups}
          paging={paging}
          noun="backup"
          columns={COLUMNS}
          empty={
            status ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No backup is so" text="Try another filter." />
            ) : (
              <EmptyState icon={<IconArchive size={22} />} title="No backup yet" text="An instance’s page has a tab where it is backed up." />
            )
          }
        >
          {(backup) => (
            <BackupRow
              key={backup.id}
              backup={backup}
              busy={false}
              withInstance
              onAction={manages(backup.environment_id) ? (kind) => acting.begin(kind, backup.id) : undefined}
            />
          )}
        </PagedList>
      </Panel>
      <BackupActions acting={acting} />
    </>
  );
}
