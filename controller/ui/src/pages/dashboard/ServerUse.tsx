import { Text } from '@mantine/core';
import type { Server } from '@/api/types';
import { ServerLink } from '@/components/Links';
import { StatusBadge } from '@/components/StatusBadge';
import { UsageBar } from '@/components/UsageBar';
import { share } from '@/lib/format';
import { serverState, stateOf } from '@/lib/status';
import classes from './dashboard.module.css';

export function ServerUse({ servers }: { servers: Server[] }) {
  if (servers.length === 0) {
    return (
      <Text size="sm" c="dimmed" p="md">
        No server yet.
      </Text>
    );
  }
  return servers.map((server) => {
    const usage = server.status === 'offline' ? null : server.usage;
    return (
      <div key={server.id} className={classes.use}>
        <div style={{ minWidth: 0 }}>
          <ServerLink id={server.id} strong>
            {server.name}
          </ServerLink>
          <div>
            <StatusBadge state={stateOf(serverState, server.status)} title={server.status_reason} />
          </div>
        </div>
        <Bar label="CPU" percent={usage?.cpu_percent ?? null} />
        <Bar label="Memory" percent={usage && share(usage.memory_used_bytes, usage.memory_total_bytes)} />
        <Bar label="Disk" percent={usage && share(usage.disk_used_bytes, usage.disk_total_bytes)} />
      </div>
    );
  });
}

function Bar({ label, percent }: { label: string; percent: number | null | undefined }) {
  return (
    <div>
      <Text size="xs" c="dimmed" mb={-1}>
        {label}
      </Text>
      <UsageBar label={label} percent={percent} />
    </div>
  );
}
