import { Badge, Button, Group, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconCopy, IconInfoCircle, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { PermissionMatrix } from '@/access/PermissionMatrix';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { roleQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { Role } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { Confirm } from '@/components/Confirm';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { useSession } from '@/shell/session';
import { RoleForm, type RoleValues } from './RoleForm';
import { UsedBy, useHolders } from './UsedBy';

export default function RolePage() {
  const { id } = useParams({ from: '/app/roles/$id' });
  const { data: role, error, refetch } = useQuery(roleQuery(id));
  if (error && (!role || asApiError(error).status === 404)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!role) return <LoadingRows rows={8} />;
  return <Page key={role.id} role={role} />;
}

function Page({ role }: { role: Role }) {
  const { can } = useSession();
  const [deleting, { open, close }] = useDisclosure();
  const editable = can('manage:roles') && !role.is_system;
  return (
    <>
      <PageHeader
        title={role.name}
        parent={<Link to="/roles">Roles</Link>}
        status={role.is_system && <Badge variant="default">built in</Badge>}
        subtitle={role.description}
        actions={
          can('manage:roles') && (
            <>
              <ButtonLink to="/roles/new" search={{ from: role.id }} variant="default" leftSection={<IconCopy size={16} />}>
                Copy
              </ButtonLink>
              {editable && (
                <Button color="red" variant="light" leftSection={<IconTrash size={16} />} onClick={open} data-testid="delete-role">
                  Delete
                </Button>
              )}
            </>
          )
        }
      />
      <Stack gap="md" maw={1000}>
        <UsedBy role={role} />
        {editable ? <Editor role={role} /> : <Shown role={role} />}
      </Stack>
      <DeleteDialog role={role} opened={deleting} onClose={close} />
    </>
  );
}

function Shown({ role }: { role: Role }) {
  return (
    <>
      {role.is_system && (
        <Notice tone="idle" icon={<IconInfoCircle size={18} />}>
          This role is the same in every organization. To have it otherwise, make a copy and change that.
        </Notice>
      )}
      <Panel title="Permissions">
        <PermissionMatrix label={`Permissions of the role ${role.name}`} value={role.permissions} />
      </Panel>
    </>
  );
}

function Editor({ role }: { role: Role }) {
  const client = useQueryClient();
  // What others change meanwhile is not written over: the version is the one that the form began with.
  const [begun, setBegun] = useState(role);
  const save = useMutation({
    mutationFn: (body: RoleValues) =>
      unwrap(api.PUT('/api/roles/{id}', { params: { path: { id: role.id } }, headers: { 'If-Match': `"${begun.version}"` }, body })),
    meta: { showsError: true },
    onSuccess: (saved) => {
      client.setQueryData(keys.role(role.id), saved);
      for (const queryKey of [keys.roles, keys.members, ['member'], keys.user]) void client.invalidateQueries({ queryKey });
      setBegun(saved);
      notifications.show({ message: 'Saved; it counts for everybody who holds the role' });
    },
  });
  const stale = role.version > begun.version && !save.isPending;
  return (
    <>
      {stale && (
        <Notice tone="warn" role="status">
          <Group justify="space-between">
            Somebody else has changed this role meanwhile.
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => {
                save.reset();
                setBegun(role);
              }}
            >
              Show it as it is now
            </Button>
          </Group>
        </Notice>
      )}
      <RoleForm
        key={begun.version}
        saved={{ name: begun.name, description: begun.description, permissions: begun.permissions }}
        busy={save.isPending}
        error={save.error}
        onSave={(values) => save.mutate(values)}
        onDiscard={() => save.reset()}
        notice={
          role.member_count > 0
            ? `Counts at once for ${role.member_count === 1 ? 'the one person who holds' : `all ${role.member_count} who hold`} it.`
            : undefined
        }
      />
    </>
  );
}

function DeleteDialog({ role, opened, onClose }: { role: Role; opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const holders = useHolders(role);
  const remove = useMutation({
    mutationFn: () =>
      unwrap(api.DELETE('/api/roles/{id}', { params: { path: { id: role.id } }, headers: { 'If-Match': `"${role.version}"` } })),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: `The role ${role.name} is deleted` });
      void client.invalidateQueries({ queryKey: keys.roles });
      void navigate({ to: '/roles' });
    },
  });
  const names = [...holders.people.map(({ name }) => name), ...holders.accounts.map(({ name }) => name), ...holders.invited.map(({ email }) => email)];
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title={`Delete the role ${role.name}`}
      action="Delete the role"
      keep={names.length > 0 ? 'Close' : 'Keep it'}
      impossible={names.length > 0}
      run={remove}
      onConfirm={() => remove.mutate()}
    >
      {names.length > 0 ? (
        <>
          <Text size="sm">It is still in use, so it cannot be deleted. Give these another role first:</Text>
          <Text size="sm" fw={600} mt={4}>
            {names.slice(0, 12).join(', ')}
            {names.length > 12 && ` and ${names.length - 12} more`}
          </Text>
        </>
      ) : (
        'Nobody holds it. It cannot be brought back.'
      )}
    </Confirm>
  );
}
