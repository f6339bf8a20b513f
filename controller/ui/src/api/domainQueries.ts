// Names of an instance, and who leads people to a server. Parts of both, so that what happens to them refreshes these too.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';

/** More than an instance may have. */
const ALL = 200;

export const domainsQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'domains'],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/instances/{id}/domains', { params: { path: { id }, query: { limit: ALL } }, signal })),
  });

export const proxyQuery = (serverId: string) =>
  queryOptions({
    queryKey: [...keys.server(serverId), 'proxy'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/servers/{id}/proxy', { params: { path: { id: serverId } }, signal })),
  });
