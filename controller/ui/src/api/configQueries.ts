// What an instance's Odoo is set to. Parts of the instance, so that what happens to it refreshes them too.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';

export const configQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'config'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/config', { params: { path: { id } }, signal })),
  });

export const configHistoryQuery = (id: string, query: Omit<ListParams, 'q'>) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'config-history', query],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/instances/{id}/config/history', { params: { path: { id }, query }, signal })),
  });
