import { ActionIcon, Button, Checkbox, Menu, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconArrowUp, IconBolt, IconDots, IconExternalLink, IconPassword, IconPlayerPlay, IconPlayerStop, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { Instance } from '@/api/types';
import { ConfirmByName } from '@/components/ConfirmByName';
import { retrying } from '@/lib/retrying';
import { useSession } from '@/shell/session';
import { alwaysPurged, isAllowed, takesPassword, takesUpgrade, type InstanceAction } from './actions';

const AdminPasswordDialog = lazy(retrying(() => import('./AdminPasswordDialog')));
const UpgradeDialog = lazy(retrying(() => import('./UpgradeDialog')));

const DONE: Record<InstanceAction, string> = {
  start: 'is being started',
  stop: 'is being stopped',
  restart: 'is being restarted',
  kill: 'is being killed',
};

function send(id: string, action: InstanceAction) {
  const params = { params: { path: { id } } };
  switch (action) {
    case 'start':
      return unwrap(api.POST('/api/instances/{id}/start', params));
    case 'stop':
      return unwrap(api.POST('/api/instances/{id}/stop', params));
    case 'restart':
      return unwrap(api.POST('/api/instances/{id}/restart', params));
    case 'kill':
      return unwrap(api.POST('/api/instances/{id}/kill', params));
  }
}

export function InstanceActions({ instance }: { instance: Instance }) {
  const client = useQueryClient();
  const { can } = useSession();
  const [deleting, { open, close }] = useDisclosure();
  const [password, { open: askPassword, close: closePassword }] = useDisclosure();
  const [upgrading, { open: askUpgrade, close: closeUpgrade }] = useDisclosure();
  const act = useMutation({
    mutationFn: (action: InstanceAction) => send(instance.id, action),
    onSuccess: (_, action) => {
      notifications.show({ message: `${instance.name} ${DONE[action]}` });
      void client.invalidateQueries({ queryKey: keys.instance(instance.id) });
    },
  });
  const button = (action: InstanceAction, label: string, icon: React.ReactNode) =>
    isAllowed(action, instance.status) && (
      <Button
        variant="default"
        leftSection={icon}
        loading={act.isPending && act.variables === action}
        disabled={act.isPending}
        onClick={() => act.mutate(action)}
        data-testid={`action-${action}`}
      >
        {label}
      </Button>
    );
  return (
    <>
      {instance.url && (
        <Button
          component="a"
          href={instance.url}
          target="_blank"
          rel="noreferrer"
          leftSection={<IconExternalLink size={16} />}
          variant={instance.status === 'running' ? 'filled' : 'default'}
          data-testid="open-instance"
        >
          Open
        </Button>
      )}
      {can('manage:instances') && (
        <>
          {button('start', 'Start', <IconPlayerPlay size={16} />)}
          {button('stop', 'Stop', <IconPlayerStop size={16} />)}
          {button('restart', 'Restart', <IconRefresh size={16} />)}
          <Menu position="bottom-end" width={250}>
            <Menu.Target>
              <ActionIcon variant="default" size={36} aria-label="More actions" data-testid="more-actions">
                <IconDots size={17} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconBolt size={16} />}
                disabled={!isAllowed('kill', instance.status)}
                onClick={() => act.mutate('kill')}
                data-testid="action-kill"
              >
                Kill
                <Text size="xs" c="dimmed">
                  Ends it at once; unsaved work is lost
                </Text>
              </Menu.Item>
              <Menu.Item
                leftSection={<IconPassword size={16} />}
                disabled={!takesPassword(instance)}
                onClick={askPassword}
                data-testid="action-password"
              >
                Administrator’s password
                <Text size="xs" c="dimmed">
                  Sets it in Odoo, without a restart
                </Text>
              </Menu.Item>
              <Menu.Item
                leftSection={<IconArrowUp size={16} />}
                disabled={!takesUpgrade(instance)}
                onClick={askUpgrade}
                data-testid="action-upgrade"
              >
                Upgrade
                <Text size="xs" c="dimmed">
                  A newer image of the same version
                </Text>
              </Menu.Item>
              <Menu.Divider />
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} />}
                disabled={instance.status === 'removing'}
                onClick={open}
                data-testid="action-delete"
              >
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
          {password && (
            <Suspense fallback={null}>
              <AdminPasswordDialog instance={instance} onClose={closePassword} />
            </Suspense>
          )}
          {upgrading && (
            <Suspense fallback={null}>
              <UpgradeDialog instance={instance} onClose={closeUpgrade} />
            </Suspense>
          )}
          <DeleteDialog instance={instance} opened={deleting} onClose={close} />
        </>
      )}
    </>
  );
}

function DeleteDialog({ instance, opened, onClose }: { instance: Instance; opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [purge, setPurge] = useState(false);
  const always = alwaysPurged(instance);
  const gone = purge || always;
  const remove = useMutation({
    mutationFn: () =>
      unwrap(
        api.DELETE('/api/instances/{id}', {
          params: { path: { id: instance.id }, query: gone ? { purge: true, skip_backup: true } : {} },
        }),
      ),
    meta: { showsError: true },
    onSuccess: (accepted) => {
      onClose();
      void client.invalidateQueries({ queryKey: keys.instances });
      notifications.show({ message: `${instance.name} is being deleted` });
      void navigate({ to: '/jobs/$id', params: { id: accepted.job_id } });
    },
  });
  return (
    <ConfirmByName
      opened={opened}
      onClose={onClose}
      title={`Delete ${instance.name}`}
      name={instance.name}
      losses={[
        'The Odoo and PostgreSQL containers of this instance. Everyone who works in it is cut off.',
        gone
          ? `The database ${instance.database_name} and all files, for good and without a last backup.`
          : 'Nothing of the database and files: their volumes stay on the server until they are purged.',
      ]}
      action={gone ? 'Delete with all data' : 'Delete'}
      run={remove}
      onConfirm={() => remove.mutate()}
    >
      <Checkbox
        label="Delete the database and files too"
        description={
          always ? 'Always so in a development environment. They cannot be brought back.' : 'They cannot be brought back.'
        }
        checked={gone}
        disabled={always}
        onChange={(event) => setPurge(event.currentTarget.checked)}
        data-testid="purge"
      />
    </ConfirmByName>
  );
}
