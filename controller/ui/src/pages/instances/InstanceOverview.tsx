import { Anchor, Badge, Button, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconAlertTriangle, IconArrowUp } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { environmentQuery } from '@/api/projectQueries';
import { instanceStatsQuery } from '@/api/queries';
import type { Instance } from '@/api/types';
import { ProjectLink, ServerLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { FactList, Panel } from '@/components/Panel';
import { UsageBar } from '@/components/UsageBar';
import { formatBytes, formatDateTime, formatMegabytes, formatPercent, share, shortId } from '@/lib/format';
import { tagsFromLabels } from '@/lib/labels';
import { retrying } from '@/lib/retrying';
import { JobPanel } from '@/pages/jobs/JobView';
import { useSession } from '@/shell/session';
import { takesUpgrade } from './actions';
import { upgradedText } from './addons/UpdateChoice';
import { LastChange } from './LastChange';

const UpgradeDialog = lazy(retrying(() => import('./UpgradeDialog')));

const ENDINGS = { good: 'The instance is upgraded', cancelled: 'The upgrade was cancelled', failed: 'The upgrade failed' };

export function InstanceOverview({ instance }: { instance: Instance }) {
  const jobId = instance.active_job_id ?? instance.last_job_id;
  const job = jobId && (
    <JobPanel key={jobId} jobId={jobId} title={instance.active_job_id ? 'In progress' : 'Last job'} />
  );
  const jobFirst = instance.active_job_id != null || instance.status === 'error';
  return (
    <Stack gap="md">
      {instance.status_reason && (instance.status === 'error' || instance.health === 'unhealthy') && (
        <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="What is wrong" testId="status-reason">
          <Text size="sm">{instance.status_reason}</Text>
        </Notice>
      )}
      {!instance.active_job_id && (
        <LastChange instance={instance} kind="instance_upgrade" asked={null} always words={ENDINGS} outcomeOf={upgradedText} />
      )}
      {jobFirst && job}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Panel title="Instance">
          <About instance={instance} />
        </Panel>
        <Panel title="Now">
          <Stats instance={instance} />
        </Panel>
      </SimpleGrid>
      {!jobFirst && job}
    </Stack>
  );
}

function About({ instance }: { instance: Instance }) {
  return (
    <FactList
      facts={[
        [
          'Address',
          instance.url ? (
            <Anchor href={instance.url} target="_blank" rel="noreferrer" size="sm">
              {instance.url}
            </Anchor>
          ) : (
            'known once it runs'
          ),
        ],
        ['Server', <ServerLink key="server" id={instance.server_id}>{instance.server_name ?? instance.server_id}</ServerLink>],
        ['Odoo', instance.odoo_version],
        ['Image', <Image key="image" instance={instance} />],
        ['Environment', <Place key="place" instance={instance} />],
        ['Database', instance.database_name],
        ['Administrator', instance.admin_login],
        ['Language', [instance.language, instance.country].filter(Boolean).join(' · ')],
        [
          'Modules',
          instance.modules.length === 0 ? (
            'base only'
          ) : (
            <Group key="modules" gap={4}>
              {instance.modules.map((name) => (
                <Badge key={name} size="sm" color="gray">
                  {name}
                </Badge>
              ))}
            </Group>
          ),
        ],
        ['Demo data', instance.demo_data ? 'yes' : 'no'],
        ['Labels', tagsFromLabels(instance.labels).join(', ') || '–'],
        ['Created', formatDateTime(instance.created_at)],
      ]}
    />
  );
}

/** What it runs, and the way to a newer one. */
function Image({ instance }: { instance: Instance }) {
  const { can } = useSession();
  const [upgrading, { open, close }] = useDisclosure();
  return (
    <Group gap="xs">
      <span style={{ overflowWrap: 'anywhere' }}>
        {instance.image}
        {instance.image_digest && ` · ${shortId(instance.image_digest)}`}
      </span>
      {can('manage:instances') && takesUpgrade(instance) && (
        <Button size="compact-xs" variant="default" leftSection={<IconArrowUp size={13} />} onClick={open} data-testid="upgrade-image-here">
          Upgrade
        </Button>
      )}
      {upgrading && (
        <Suspense fallback={null}>
          <UpgradeDialog instance={instance} onClose={close} />
        </Suspense>
      )}
    </Group>
  );
}

/** Its environment in its project, for who may see them. */
function Place({ instance }: { instance: Instance }) {
  const { can } = useSession();
  const { data: environment } = useQuery({ ...environmentQuery(instance.environment_id), enabled: can('view:projects') });
  if (!environment) return <>{instance.environment_type}</>;
  const told = environment.name.toLowerCase().includes(environment.type);
  return (
    <>
      <ProjectLink id={environment.project_id}>{environment.project_name}</ProjectLink> / {environment.name}
      {!told && `, ${environment.type}`}
    </>
  );
}

function Stats({ instance }: { instance: Instance }) {
  const running = instance.status === 'running';
  const { data: stats, error } = useQuery(instanceStatsQuery(instance.id, running));
  const limits = `${instance.limits.cpus} CPU · ${formatMegabytes(instance.limits.memory_mb)}`;
  if (!running || !stats) {
    return (
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {!running ? 'Figures come while it runs.' : error ? 'The server does not answer just now.' : 'Measuring …'}
        </Text>
        <FactList facts={[['May use', limits]]} />
      </Stack>
    );
  }
  // 100 is one core.
  const cpu = share(stats.cpu_percent, instance.limits.cpus * 100);
  const limit = stats.memory_limit_bytes ?? instance.limits.memory_mb * 1024 * 1024;
  const memory = stats.memory_used_bytes == null ? null : share(stats.memory_used_bytes, limit);
  return (
    <Stack gap="md">
      <Group grow align="flex-start" gap="lg">
        <div>
          <Text size="sm" fw={500}>
            CPU
          </Text>
          <UsageBar label="CPU" percent={cpu} />
          <Text size="xs" c="dimmed" mt={3} className="numbers">
            {formatPercent(stats.cpu_percent)} of a core
          </Text>
        </div>
        <div>
          <Text size="sm" fw={500}>
            Memory
          </Text>
          <UsageBar label="Memory" percent={memory} />
          <Text size="xs" c="dimmed" mt={3} className="numbers">
            {stats.memory_used_bytes == null ? 'the engine does not say' : `${formatBytes(stats.memory_used_bytes)} of ${formatBytes(limit)}`}
          </Text>
        </div>
      </Group>
      <FactList
        facts={[
          ['May use', limits],
          ['Network', `${formatBytes(stats.network_rx_bytes)} in, ${formatBytes(stats.network_tx_bytes)} out`],
          ['Disk', `${formatBytes(stats.block_read_bytes)} read, ${formatBytes(stats.block_write_bytes)} written`],
          ['Processes', stats.pids == null ? '–' : String(stats.pids)],
        ]}
      />
    </Stack>
  );
}
