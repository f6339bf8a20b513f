// What an instance's Odoo is made of. Parts of the instance, so that what happens to it refreshes them too.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';
import type { InstanceAddons } from './types';

/** With the version for `If-Match`, which is in the answer's head. */
export type Addons = InstanceAddons & { version: number };

export const addonsQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'addons'],
    queryFn: async ({ signal }): Promise<Addons> => {
      const answer = await api.GET('/api/instances/{id}/addons', { params: { path: { id } }, signal });
      const addons = await unwrap(Promise.resolve(answer));
      return { ...addons, version: Number((answer.response.headers.get('etag') ?? '').replace(/\D/g, '')) };
    },
  });
