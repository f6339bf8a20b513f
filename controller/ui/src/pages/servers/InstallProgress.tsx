// The one-line command, and how far the server that runs it has come.
import { List, Stack, Text } from '@mantine/core';
import { IconBulb, IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { serverQuery } from '@/api/queries';
import type { InstallCommand, Server, StepStatus } from '@/api/types';
import classes from '@/components/components.module.css';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { toneStyle } from '@/components/StatusBadge';
import { StepIcon } from '@/components/StepList';
import { TimeAgo } from '@/components/Time';
import { formatClock } from '@/lib/format';
import { useNow } from '@/lib/now';
import { stepState } from '@/lib/status';
import { installRows, isQuietTooLong } from './install';

export function InstallProgress({ serverId, install }: { serverId: string; install: InstallCommand }) {
  const [since] = useState(() => Date.now());
  const now = useNow(true);
  const { data: server } = useQuery({
    ...serverQuery(serverId),
    // The live stream tells at once; this is for the moment when it is away.
    refetchInterval: (query) => (query.state.data?.status === 'online' ? false : 4_000),
  });
  const online = server?.status === 'online';
  return (
    <Stack gap="md">
      <div>
        <Text size="sm" mb={6}>
          Run this on the server, as a user who may use sudo:
        </Text>
        <CommandBox command={install.command} label="install command" testId="install-command" />
        <Text size="xs" c="dimmed" mt={6}>
          It works once, until {formatClock(install.token_expires_at)} (<TimeAgo at={install.token_expires_at} />
          ). The command checks the controller's key, so nothing on the way can change what it installs.
        </Text>
      </div>
      <InstallStages server={server} />
      {online ? (
        <Notice tone="good" icon={<IconCircleCheck size={18} />} role="status" testId="install-done">
          {server.name} is online and ready for instances.
        </Notice>
      ) : (
        isQuietTooLong(server, since, now) && <Hints install={install} server={server} now={now} />
      )}
    </Stack>
  );
}

export function InstallStages({ server }: { server: Server | undefined }) {
  return (
    <ol className={classes.steps} aria-label="Installation">
      {installRows(server).map((row) => (
        <li
          key={row.stage}
          className={classes.step}
          style={toneStyle(stepState[row.status].tone)}
          data-testid="install-stage"
          data-stage={row.stage}
          data-status={row.status}
        >
          <span className={classes.stepIcon} role="img" aria-label={stepState[row.status].label}>
            <StepIcon status={row.status satisfies StepStatus} />
          </span>
          <Text size="sm" c={row.status === 'pending' ? 'dimmed' : undefined}>
            {row.title}
          </Text>
          <Text size="xs" c="dimmed" className="numbers">
            {row.at ? formatClock(row.at) : ''}
          </Text>
          {row.problem && <div className={classes.stepDetail}>{row.problem}</div>}
        </li>
      ))}
    </ol>
  );
}

function Hints({ install, server, now }: { install: InstallCommand; server: Server | undefined; now: number }) {
  const expired = now > Date.parse(install.token_expires_at);
  const silent = !server || server.install_stages.length === 0;
  return (
    <Notice tone="warn" icon={<IconBulb size={18} />} title={silent ? 'Nothing heard yet' : 'It seems to be stuck'} testId="install-hints">
      <List size="sm" spacing={3}>
        {expired && <List.Item>The command has expired. Make a new one in the server's settings.</List.Item>}
        {silent && (
          <List.Item>
            Can the server reach {install.addresses?.length ? install.addresses.join(' or ') : 'the address in the command'}? A
            firewall must let it out to that port. It needs no open port of its own.
          </List.Item>
        )}
        <List.Item>Did the command end with an error on the server? Its last line says what is missing.</List.Item>
        {!silent && (
          <List.Item>
            On the server, <code>journalctl -u ocore-agent -e</code> shows what the agent is waiting for.
          </List.Item>
        )}
      </List>
    </Notice>
  );
}
