import { Button } from '@mantine/core';
import { IconArchive, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { instanceBackupsQuery } from '@/api/backupQueries';
import { destinationsQuery } from '@/api/destinationQueries';
import type { Instance } from '@/api/types';
import { Notice } from '@/components/Notice';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { NewBackupDialog } from './BackupDialogs';
import { BackupActions, BackupRow, COLUMNS, useBackupAction } from './BackupRow';

/** An instance's backups: what there is, making one, putting one back. */
export default function InstanceBackups({ instance }: { instance: Instance }) {
  const { id } = instance;
  const manages = useHeld().at({ type: 'environment', id: instance.environment_id }).has('manage:backups');
  const paging = usePaging(id);
  const backups = useQuery(instanceBackupsQuery(id, paging.query));
  const destinations = useQuery(destinationsQuery);
  const [asking, setAsking] = useState(false);
  const acting = useBackupAction(backups.data?.data);
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
          columns={COLUMNS}
          empty={
            <EmptyState
              icon={<IconArchive size={22} />}
              title="No backup yet"
              text="A backup holds the database and its attachments as of one moment; Odoo goes on serving while it is made."
            />
          }
        >
          {(backup) => (
            <BackupRow
              key={backup.id}
              backup={backup}
              busy={instance.active_job_id != null}
              onAction={manages ? (kind) => acting.begin(kind, backup.id) : undefined}
            />
          )}
        </PagedList>
      </Panel>
      {asking && <NewBackupDialog instance={instance} onClose={() => setAsking(false)} />}
      <BackupActions acting={acting} />
    </>
  );
}
