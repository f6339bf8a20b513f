import { notifications } from '@mantine/notifications';
import { IconHandStop } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Environment, Instance } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { ConfirmByName } from '@/components/ConfirmByName';
import { Losses } from '@/components/Losses';
import { Notice } from '@/components/Notice';
import { lossesOf } from './projects';

function remove({ id, name, type, version }: Environment, dry_run: boolean) {
  const query = { ...(type === 'production' && { confirm: name }), ...(dry_run && { dry_run }) };
  const headers = { 'If-Match': `"${version}"` };
  return unwrap(api.DELETE('/api/environments/{env_id}', { params: { path: { env_id: id }, query }, headers }));
}

export interface DeleteEnvironmentProps {
  environment: Environment;
  /** Those that go with it; null where they are not to be seen. */
  instances: readonly Instance[] | null;
  opened: boolean;
  onClose: () => void;
}

/** Says by name what will be lost, once the controller has said that it can be done. */
export function DeleteEnvironment({ environment, instances, opened, onClose }: DeleteEnvironmentProps) {
  const client = useQueryClient();
  const check = useQuery({
    queryKey: [...keys.environment(environment.id), 'removal', environment.version],
    queryFn: () => remove(environment, true),
    enabled: opened,
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const run = useMutation({
    mutationFn: () => remove(environment, false),
    meta: { showsError: true },
    onSuccess: ({ status }) => {
      onClose();
      notifications.show({ message: `${environment.name} is ${status === 'deleting' ? 'being deleted' : 'deleted'}` });
    },
    onSettled: () => {
      const { id, project_id } = environment;
      const stale = [keys.environments, keys.environment(id), keys.projects, keys.project(project_id), keys.instances];
      for (const queryKey of stale) void client.invalidateQueries({ queryKey });
    },
  });
  const losses = lossesOf(environment, instances);
  const question = { opened, onClose, title: `Delete ${environment.name}`, run, onConfirm: () => run.mutate() };
  if (check.error) {
    return (
      <Confirm {...question} action="Delete" keep="Keep it" impossible>
        <Notice tone="warn" icon={<IconHandStop size={18} />} title="Not now" role="alert" testId="delete-blocked">
          {asApiError(check.error).message}
        </Notice>
      </Confirm>
    );
  }
  if (environment.type === 'production') {
    return <ConfirmByName {...question} name={environment.name} losses={losses} action="Delete production" />;
  }
  return (
    <Confirm
      {...question}
      action={environment.type === 'development' ? 'Delete with all data' : 'Delete'}
      keep="Keep it"
      impossible={!check.isSuccess}
    >
      <Losses losses={losses} />
    </Confirm>
  );
}
