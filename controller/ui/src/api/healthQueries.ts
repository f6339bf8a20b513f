// How an instance is, and what it has used. Parts of the instance, so that what happens to it refreshes its health too.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';
import type { Period } from './types';

export const healthQuery = (id: string, days = 90) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'health', days],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/instances/{id}/health', { params: { path: { id }, query: { days } }, signal })),
    refetchInterval: 15_000,
  });

export const instanceMetricsQuery = (id: string, period: Period) =>
  queryOptions({
    queryKey: ['instance-metrics', id, period] as const,
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/instances/{id}/metrics', { params: { path: { id }, query: { period } }, signal })),
    refetchInterval: 60_000,
  });
