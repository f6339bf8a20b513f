import { ActionIcon, Group, Menu, Text, Title } from '@mantine/core';
import { IconDots, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { instancesQuery } from '@/api/queries';
import type { Environment, Project } from '@/api/types';
import { AnchorLink } from '@/components/AnchorLink';
import { ButtonLink } from '@/components/ButtonLink';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { plural } from '@/lib/format';
import { useSession } from '@/shell/session';
import { CardInstance } from './CardInstance';
import { DeleteEnvironment } from './DeleteEnvironment';
import { EditEnvironmentDialog } from './EnvironmentDialogs';
import classes from './projects.module.css';
import { byName } from './projects';

/** More of them are a list, not a card. */
const SHOWN = 100;

/** An environment with what runs in it. */
export function EnvironmentCard({ environment, project }: { environment: Environment; project: Project }) {
  const [dialog, setDialog] = useState<'edit' | 'delete' | null>(null);
  const { can } = useSession();
  const held = useHeld().at({ type: 'environment', id: environment.id });
  const instances = useQuery({
    ...instancesQuery({ environment_id: environment.id, limit: SHOWN }),
    enabled: can('view:instances'),
  });
  const deleting = environment.status === 'deleting';
  const note = deleting ? 'It goes with the last of its instances.' : environment.description;
  const close = () => setDialog(null);
  return (
    <article
      className={classes.card}
      aria-label={environment.name}
      data-testid="environment"
      data-environment={environment.name}
      data-deleting={deleting || undefined}
    >
      <div className={classes.cardHead}>
        <div style={{ minWidth: 0 }}>
          <Group gap="sm">
            <Title order={3} size="h3" style={{ overflowWrap: 'anywhere' }}>
              {environment.name}
            </Title>
            {deleting && <StatusBadge state={{ label: 'Deleting', tone: 'busy' }} />}
          </Group>
          {note && (
            <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {note}
            </Text>
          )}
        </div>
        {held.has('manage:projects') && (
          <Menu position="bottom-end" width={170}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for ${environment.name}`} data-testid="environment-actions">
                <IconDots size={17} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog('edit')} data-testid="edit-environment">
                Edit
              </Menu.Item>
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} />}
                disabled={deleting}
                onClick={() => setDialog('delete')}
                data-testid="delete-environment"
              >
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </div>
      {!can('view:instances') ? (
        <Text size="sm" c="dimmed" px="md" pb="sm">
          {plural(environment.instances_count, 'instance')}
        </Text>
      ) : instances.isPending ? (
        <LoadingRows rows={2} />
      ) : instances.isError ? (
        <ErrorState error={instances.error} onRetry={() => void instances.refetch()} />
      ) : (
        <>
          {instances.data.data.length > 0 && (
            <ul className={classes.instances} aria-label={`Instances of ${environment.name}`}>
              {byName(instances.data.data).map((instance) => (
                <CardInstance key={instance.id} instance={instance} />
              ))}
            </ul>
          )}
          {instances.data.has_more && (
            <div className={classes.cardFoot}>
              <AnchorLink to="/instances" search={{ environment_id: environment.id }}>
                All {plural(environment.instances_count, 'instance')}
              </AnchorLink>
            </div>
          )}
        </>
      )}
      {held.has('manage:instances') && !deleting && project.archived_at == null && (
        <div className={classes.cardFoot}>
          <ButtonLink
            to="/instances/new"
            search={{ environment_id: environment.id }}
            variant="subtle"
            color="gray"
            size="compact-sm"
            leftSection={<IconPlus size={15} />}
            data-testid="new-instance-here"
          >
            New instance here
          </ButtonLink>
        </div>
      )}
      <EditEnvironmentDialog environment={environment} opened={dialog === 'edit'} onClose={close} />
      <DeleteEnvironment
        environment={environment}
        instances={instances.data?.data ?? null}
        opened={dialog === 'delete'}
        onClose={close}
      />
    </article>
  );
}
