import { Group, Text, ThemeIcon } from '@mantine/core';
import { IconBox, IconCheck, IconServer2 } from '@tabler/icons-react';
import { ButtonLink } from '@/components/ButtonLink';
import { Panel } from '@/components/Panel';
import { useSession } from '@/shell/session';
import classes from './dashboard.module.css';

/** Shown until there is a server and an instance. */
export function FirstSteps({ servers, instances }: { servers: number; instances: number }) {
  const { can } = useSession();
  const hasServer = servers > 0;
  return (
    <Panel title="First steps">
      <div className={classes.steps} data-testid="first-steps">
        <div className={hasServer ? classes.stepDone : undefined}>
          <Group gap="sm" mb={6}>
            <ThemeIcon variant="light" size={30} radius="xl">
              {hasServer ? <IconCheck size={17} aria-label="done" /> : <IconServer2 size={17} />}
            </ThemeIcon>
            <Text fw={600}>Add a server</Text>
          </Group>
          <Text size="sm" c="dimmed" mb="sm">
            Any Linux machine with Docker. One command connects it; it needs no open port for oCore.
          </Text>
          {!hasServer && can('manage:servers') && (
            <ButtonLink to="/servers" search={{ add: 'server' }} size="xs">
              Add server
            </ButtonLink>
          )}
        </div>
        <div className={instances > 0 ? classes.stepDone : undefined}>
          <Group gap="sm" mb={6}>
            <ThemeIcon variant="light" size={30} radius="xl" color={hasServer ? undefined : 'gray'}>
              {instances > 0 ? <IconCheck size={17} aria-label="done" /> : <IconBox size={17} />}
            </ThemeIcon>
            <Text fw={600}>Create an instance</Text>
          </Group>
          <Text size="sm" c="dimmed" mb="sm">
            Choose an Odoo version and a size. You follow each step, and sign in a few minutes later.
          </Text>
          {hasServer && instances === 0 && can('manage:instances') && (
            <ButtonLink to="/instances/new" size="xs">
              New instance
            </ButtonLink>
          )}
        </div>
      </div>
    </Panel>
  );
}
