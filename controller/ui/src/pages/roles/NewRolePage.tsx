import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useHeld } from '@/access/useHeld';
import { includes } from '@/access/permissions';
import { api, unwrap } from '@/api/client';
import { roleQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import { PageHeader } from '@/components/PageHeader';
import { ErrorState, LoadingRows } from '@/components/States';
import { RoleForm, type RoleValues } from './RoleForm';

/** From nothing, or from a copy of another role. */
export default function NewRolePage() {
  const { from } = useSearch({ from: '/app/roles/new' });
  const client = useQueryClient();
  const navigate = useNavigate();
  const { everywhere } = useHeld();
  const source = useQuery({ ...roleQuery(from ?? ''), enabled: from !== undefined });
  const create = useMutation({
    mutationFn: (body: RoleValues) => unwrap(api.POST('/api/roles', { body })),
    meta: { showsError: true },
    onSuccess: (role) => {
      client.setQueryData(keys.role(role.id), role);
      void client.invalidateQueries({ queryKey: keys.roles });
      notifications.show({ message: `The role ${role.name} is there` });
      void navigate({ to: '/roles/$id', params: { id: role.id } });
    },
  });
  if (from && source.isPending) return <LoadingRows rows={8} />;
  if (from && source.isError) return <ErrorState error={source.error} onRetry={() => void source.refetch()} />;
  const copied = source.data;
  return (
    <>
      <PageHeader
        title={copied ? `Copy of ${copied.name}` : 'New role'}
        parent={<Link to="/roles">Roles</Link>}
        subtitle="Give it to people and service accounts, in the whole organization or in a part of it."
      />
      <RoleForm
        isNew
        saved={{
          name: '',
          description: copied && !copied.is_system ? copied.description : '',
          permissions: (copied?.permissions ?? []).filter((key) => includes(everywhere, key)),
        }}
        busy={create.isPending}
        error={create.error}
        onSave={(values) => create.mutate(values)}
        onDiscard={() => void navigate({ to: '/roles' })}
      />
    </>
  );
}
