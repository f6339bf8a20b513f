import { ActionIcon, Group, Text, Tooltip } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import type { Instance } from '@/api/types';
import { InstanceLink, JobLink, ServerLink } from '@/components/Links';
import { StatusBadge } from '@/components/StatusBadge';
import { humanize } from '@/lib/format';
import { healthState, instanceState, isFinished, stateOf } from '@/lib/status';
import { useJob } from '@/pages/jobs/JobView';
import classes from './projects.module.css';

/** An instance in the card of its environment. */
export function CardInstance({ instance }: { instance: Instance }) {
  return (
    <li className={classes.instance} data-testid="card-instance" data-instance={instance.name} data-status={instance.status}>
      <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
        <InstanceLink id={instance.id} strong>
          {instance.name}
        </InstanceLink>
        <Text size="xs" c="dimmed" component="div">
          Odoo {instance.odoo_version} on <ServerLink id={instance.server_id}>{instance.server_name}</ServerLink>
        </Text>
      </div>
      {instance.url ? (
        <Tooltip label={instance.url}>
          <ActionIcon component="a" href={instance.url} target="_blank" rel="noreferrer" aria-label={`Open ${instance.name}`}>
            <IconExternalLink size={16} />
          </ActionIcon>
        </Tooltip>
      ) : (
        <span />
      )}
      <Group gap="3px 16px" className={classes.wide}>
        <StatusBadge state={stateOf(instanceState, instance.status)} title={instance.status_reason} />
        {instance.status === 'running' && <StatusBadge state={stateOf(healthState, instance.health)} title={instance.status_reason} />}
        {instance.active_job_id && <JobNote id={instance.active_job_id} />}
      </Group>
    </li>
  );
}

/** What is being done with it just now. */
function JobNote({ id }: { id: string }) {
  const { data: job } = useJob(id);
  if (!job || isFinished(job.status)) return null;
  const step = job.steps.find(({ status }) => status === 'running')?.title;
  return (
    <Text size="xs" c="dimmed" data-testid="job-note">
      <JobLink id={id}>{humanize(job.kind)}</JobLink>: {step ?? (job.status === 'queued' ? 'waits for its server' : 'on its way')}
    </Text>
  );
}
