import { Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { adminKeys } from '@/api/adminQueries';
import { api, unwrap } from '@/api/client';
import type { AdminJob } from '@/api/types';
import { FormError } from '@/components/FormError';
import { AdminOrganizationLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { FactList } from '@/components/Panel';
import { StatusBadge } from '@/components/StatusBadge';
import { Elapsed, TimeAgo } from '@/components/Time';
import { formatDateTime, humanize } from '@/lib/format';
import { isFinished, jobState, stateOf } from '@/lib/status';

export function JobDrawer({ job, onClose }: { job: AdminJob | null; onClose: () => void }) {
  return (
    <Drawer opened={job !== null} onClose={onClose} title={job ? humanize(job.kind) : ''}>
      {job && <Body key={job.id} job={job} />}
    </Drawer>
  );
}

function Body({ job }: { job: AdminJob }) {
  const waits = job.status === 'queued' && Date.parse(job.run_at) > Date.now();
  return (
    <Stack gap="lg" data-testid="admin-job">
      {job.failure && (
        <Notice tone={job.status === 'failed' ? 'bad' : 'warn'} icon={<IconAlertTriangle size={18} />} title={job.status === 'failed' ? 'Why it failed' : 'Why its last attempt failed'}>
          {job.failure.message}
          <Text size="xs" c="dimmed" mt={4}>
            {job.failure.code}
          </Text>
        </Notice>
      )}
      <Actions job={job} />
      <FactList
        facts={[
          ['Status', <StatusBadge key="status" state={stateOf(jobState, job.status)} />],
          ['About', `${humanize(job.subject.type)} ${job.subject.name ?? ''}`],
          [
            'Organization',
            job.organization_id ? (
              <AdminOrganizationLink key="org" id={job.organization_id}>
                {job.organization_name ?? job.organization_id}
              </AdminOrganizationLink>
            ) : (
              'the platform itself'
            ),
          ],
          ['Done', job.executor === 'agent' ? 'by the agent of a server' : 'in the controller'],
          ['Lane', job.lane ?? '–'],
          ['Attempts', String(job.attempts)],
          ...(waits ? [nextAttempt(job)] : []),
          ['Asked for by', job.created_by.name ?? '–'],
          ['Asked for', formatDateTime(job.created_at)],
          ['Started', formatDateTime(job.started_at)],
          ['Finished', formatDateTime(job.finished_at)],
          ['Took', <Elapsed key="took" from={job.started_at} to={job.finished_at} />],
          ['Has until', formatDateTime(job.deadline_at)],
          ['Id', <Text key="id" size="sm" ff="monospace" fz={12.5}>{job.id}</Text>],
        ]}
      />
    </Stack>
  );
}

function nextAttempt({ run_at }: AdminJob): [string, ReactNode] {
  return ['Next attempt', <TimeAgo key="next" at={run_at} />];
}

function Actions({ job }: { job: AdminJob }) {
  const client = useQueryClient();
  const act = useMutation({
    mutationFn: (what: 'retry' | 'cancel') => unwrap(api.POST(`/api/admin/jobs/{id}/${what}`, { params: { path: { id: job.id } } })),
    meta: { showsError: true },
    onSuccess: (_, what) => notifications.show({ message: what === 'retry' ? 'It is queued again' : 'It is being cancelled' }),
    onSettled: () => void client.invalidateQueries({ queryKey: adminKeys.jobs }),
  });
  const ended = isFinished(job.status);
  const retryable = ended && job.status !== 'succeeded';
  if (ended && !retryable) return null;
  return (
    <div>
      {!ended && (
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlayerStop size={15} />}
          loading={act.isPending}
          disabled={job.cancel_requested}
          onClick={() => act.mutate('cancel')}
          data-testid="cancel-job"
        >
          {job.cancel_requested ? 'Being cancelled' : 'Cancel'}
        </Button>
      )}
      {retryable && job.executor === 'controller' && (
        <Group gap="xs">
          <Button
            variant="default"
            size="xs"
            leftSection={<IconRefresh size={15} />}
            loading={act.isPending}
            onClick={() => act.mutate('retry')}
            data-testid="retry-job"
          >
            Do it again
          </Button>
          <Text size="xs" c="dimmed">
            With as much time as it had.
          </Text>
        </Group>
      )}
      {retryable && job.executor === 'agent' && (
        <Text size="sm" c="dimmed">
          Work on a server is asked for anew where it began; the server may have moved on since.
        </Text>
      )}
      <FormError error={act.error} />
    </div>
  );
}
