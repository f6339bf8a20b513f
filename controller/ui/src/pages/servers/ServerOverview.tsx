import { Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconBrandDocker, IconPlus } from '@tabler/icons-react';
import type { Server } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { Notice } from '@/components/Notice';
import { FactList, Panel } from '@/components/Panel';
import { TimeAgo } from '@/components/Time';
import { UsageBar } from '@/components/UsageBar';
import { formatBytes, formatDuration, share } from '@/lib/format';
import { tagsFromLabels } from '@/lib/labels';
import { serverState, stateOf } from '@/lib/status';
import { InstallStages } from './InstallProgress';
import { ServerCharts } from './ServerCharts';

const WAITING = ['pending', 'provisioning'];
const WELL = ['online', ...WAITING];

export function ServerOverview({ server }: { server: Server }) {
  const docker = server.facts?.docker;
  return (
    <Stack gap="md">
      {!WELL.includes(server.status) && (
        <Notice
          tone={server.status === 'offline' || server.status === 'locked' ? 'bad' : 'warn'}
          icon={<IconAlertTriangle size={18} />}
          title={stateOf(serverState, server.status).label}
          testId="status-reason"
        >
          <Text size="sm">
            {server.status_reason ?? 'The controller gave no reason.'}
          </Text>
          <Text size="xs" c="dimmed">
            Last seen <TimeAgo at={server.last_seen_at} />
          </Text>
        </Notice>
      )}
      {docker && !docker.available && (
        <Notice tone="bad" icon={<IconBrandDocker size={18} />} title="Docker does not answer" testId="docker-problem">
          <Text size="sm">{docker.problem ?? 'Check that the docker service runs on the server.'}</Text>
        </Notice>
      )}
      {WAITING.includes(server.status) && (
        <Panel title="Installation">
          <InstallStages server={server} />
          <Text size="sm" c="dimmed" mt="sm">
            Lost the command? Settings makes a new one.
          </Text>
        </Panel>
      )}
      {server.facts && (
        <>
          <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
            <Panel title="Machine">
              <Facts server={server} />
            </Panel>
            <Panel
              title="Now"
              aside={
                <ButtonLink
                  to="/instances/new"
                  search={{ server_id: server.id }}
                  size="compact-sm"
                  variant="default"
                  leftSection={<IconPlus size={14} />}
                >
                  New instance
                </ButtonLink>
              }
            >
              <Now server={server} />
            </Panel>
          </SimpleGrid>
          <ServerCharts serverId={server.id} />
        </>
      )}
    </Stack>
  );
}

function Facts({ server }: { server: Server }) {
  const { facts } = server;
  if (!facts) return null;
  return (
    <FactList
      facts={[
        ['Host name', facts.hostname],
        ['System', `${facts.os_name} ${facts.os_version} · ${facts.arch}`],
        ['Kernel', facts.kernel],
        ['Processor', `${facts.cpu_cores} × ${facts.cpu_model}`],
        ['Memory', `${formatBytes(facts.memory_total_bytes)}, swap ${formatBytes(facts.swap_total_bytes)}`],
        ['Disk', formatBytes(facts.disk_total_bytes)],
        ['Addresses', facts.addresses.join(', ') || '–'],
        ['Docker', facts.docker.version ? `${facts.docker.version} · ${facts.docker.storage_driver ?? ''}` : '–'],
        ['Agent', server.agent_version ?? facts.agent_version],
        ['Time zone', facts.timezone],
        ['Labels', tagsFromLabels(server.labels).join(', ') || '–'],
      ]}
    />
  );
}

function Now({ server }: { server: Server }) {
  const { usage } = server;
  if (!usage) {
    return (
      <Text size="sm" c="dimmed">
        The first figures arrive within a minute.
      </Text>
    );
  }
  const of = (used: number, total: number) => `${formatBytes(used)} of ${formatBytes(total)}`;
  return (
    <Stack gap="md">
      <Group grow align="flex-start" gap="lg">
        {(
          [
            ['CPU', usage.cpu_percent, `load ${usage.load_1m.toFixed(2)}`],
            ['Memory', share(usage.memory_used_bytes, usage.memory_total_bytes), of(usage.memory_used_bytes, usage.memory_total_bytes)],
            ['Disk', share(usage.disk_used_bytes, usage.disk_total_bytes), of(usage.disk_used_bytes, usage.disk_total_bytes)],
          ] as const
        ).map(([label, percent, detail]) => (
          <div key={label}>
            <Text size="sm" fw={500}>
              {label}
            </Text>
            <UsageBar label={label} percent={percent} detail={detail} />
            <Text size="xs" c="dimmed" mt={3} className="numbers">
              {detail}
            </Text>
          </div>
        ))}
      </Group>
      <FactList
        facts={[
          ['Load', [usage.load_1m, usage.load_5m, usage.load_15m].map((n) => n.toFixed(2)).join(' · ')],
          ['Containers', `${usage.containers_running} running of ${usage.containers_total}`],
          ['Instances', String(server.instances_count)],
          ['Processes', String(usage.processes)],
          ['Up for', formatDuration(usage.uptime_seconds * 1000)],
          ['Agent memory', formatBytes(usage.agent_memory_bytes)],
          ['Last seen', <TimeAgo key="seen" at={server.last_seen_at} />],
        ]}
      />
    </Stack>
  );
}
