// An instance's PostgreSQL: read from the server each time. Parts of the instance, so that what happens to it refreshes them.
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';
import type { paths } from './schema';

export type TableSort = NonNullable<NonNullable<paths['/api/instances/{id}/database/tables']['get']['parameters']['query']>['sort']>;

const part = (id: string, ...rest: unknown[]) => [...keys.instance(id), 'database', ...rest];

export const databaseQuery = (id: string, enabled: boolean) =>
  queryOptions({
    queryKey: part(id, 'info'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/database', { params: { path: { id } }, signal })),
    enabled,
    retry: false,
  });

export const databaseMetricsQuery = (id: string, enabled: boolean) =>
  queryOptions({
    queryKey: part(id, 'metrics'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/database/metrics', { params: { path: { id } }, signal })),
    enabled,
    refetchInterval: 10_000,
    retry: false,
  });

export const tablesQuery = (id: string, query: ListParams & { sort?: TableSort }, enabled: boolean) =>
  queryOptions({
    queryKey: part(id, 'tables', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/database/tables', { params: { path: { id }, query }, signal })),
    placeholderData: keepPreviousData,
    enabled,
    retry: false,
  });

export const databaseListQuery = (id: string, enabled: boolean) =>
  queryOptions({
    queryKey: part(id, 'list'),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/instances/{id}/database/databases', { params: { path: { id }, query: { limit: 200 } }, signal })),
    enabled,
    retry: false,
  });

export const databaseConfigQuery = (id: string) =>
  queryOptions({
    queryKey: part(id, 'config'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/database/config', { params: { path: { id } }, signal })),
  });
