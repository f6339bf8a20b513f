import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { configQuery } from '@/api/configQueries';
import { keys } from '@/api/queries';
import type { Accepted, ConfigInput, ConfigRevert, InstanceConfig } from '@/api/types';

/** Settings to save, none of them to apply those that are there again, or a revision to go back to. */
export type Wanted = { save: ConfigInput } | { back: ConfigRevert };

function send(id: string, version: number, wanted: Wanted): Promise<InstanceConfig | Accepted> {
  const params = { path: { id } };
  const headers = { 'If-Match': `"${version}"` };
  if ('save' in wanted) return unwrap(api.PUT('/api/instances/{id}/config', { params, headers, body: wanted.save }));
  return unwrap(api.POST('/api/instances/{id}/config/revert', { params, headers, body: wanted.back }));
}

/** Changes what an Odoo is set to. What comes of it is read anew: most answers only name a job. */
export function useConfigChange(id: string, version: number, onDone?: (fresh: InstanceConfig) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (wanted: Wanted) => {
      const answer = await send(id, version, wanted);
      return { isJob: 'job_id' in answer, fresh: await client.fetchQuery({ ...configQuery(id), staleTime: 0 }) };
    },
    meta: { showsError: true },
    onSuccess: ({ isJob, fresh }) => {
      notifications.show({ message: isJob ? 'The settings are tried, then applied' : 'Saved' });
      onDone?.(fresh);
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.instance(id) });
      void client.invalidateQueries({ queryKey: keys.jobs });
    },
  });
}
