// Every read of the console: its cache key and its request, side by side.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { InstanceStatus, JobStatus, Page, Period, ServerStatus } from './types';

export interface ListParams {
  limit?: number;
  cursor?: string;
  q?: string;
}

export const keys = {
  user: ['user'] as const,
  bootstrap: ['bootstrap'] as const,
  signInWays: ['sign-in-ways'] as const,
  account: ['account'] as const,
  servers: ['servers'] as const,
  server: (id: string) => ['server', id] as const,
  projects: ['projects'] as const,
  project: (id: string) => ['project', id] as const,
  environments: ['environments'] as const,
  environment: (id: string) => ['environment', id] as const,
  instances: ['instances'] as const,
  instance: (id: string) => ['instance', id] as const,
  jobs: ['jobs'] as const,
  job: (id: string) => ['job', id] as const,
  apiKeys: ['api-keys'] as const,
  organization: ['organization'] as const,
  members: ['members'] as const,
  member: (id: string) => ['member', id] as const,
  invitations: ['invitations'] as const,
  roles: ['roles'] as const,
  role: (id: string) => ['role', id] as const,
  serviceAccounts: ['service-accounts'] as const,
  serviceAccount: (id: string) => ['service_account', id] as const,
  backups: ['backups'] as const,
  destinations: ['backup-destinations'] as const,
  destination: (id: string) => ['backup_destination', id] as const,
  registries: ['registries'] as const,
  registry: (id: string) => ['registry', id] as const,
  webhooks: ['webhooks'] as const,
  webhook: (id: string) => ['webhook_endpoint', id] as const,
  deliveries: ['webhook-deliveries'] as const,
  notices: ['notices'] as const,
  audit: ['audit'] as const,
  admin: ['admin'] as const,
  counts: ['counts'] as const,
};

export const userQuery = queryOptions({
  queryKey: keys.user,
  queryFn: ({ signal }) => unwrap(api.GET('/api/user', { signal })),
  staleTime: 60_000,
});

export const bootstrapQuery = queryOptions({
  queryKey: keys.bootstrap,
  queryFn: ({ signal }) => unwrap(api.GET('/api/auth/bootstrap/status', { signal })),
  staleTime: 0,
});

export const serversQuery = (query: ListParams & { status?: ServerStatus[]; label?: string }) =>
  queryOptions({
    queryKey: [...keys.servers, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/servers', { params: { query }, signal })),
    // Close samples come for open servers only; the bars of a list are refreshed now and then.
    refetchInterval: 30_000,
  });

export const serverQuery = (id: string) =>
  queryOptions({
    queryKey: keys.server(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/servers/{id}', { params: { path: { id } }, signal })),
  });

export const metricsQuery = (id: string, period: Period) =>
  queryOptions({
    queryKey: ['metrics', id, period] as const,
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/servers/{id}/metrics', { params: { path: { id }, query: { period } }, signal })),
    // Live samples extend the shortest period; the longer ones are refreshed now and then.
    refetchInterval: period === '1h' ? 5 * 60_000 : 60_000,
  });

export const containersQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.server(id), 'containers'],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/servers/{id}/inventory/containers', { params: { path: { id } }, signal })),
  });

export const serverEventsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.server(id), 'events'],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/servers/{id}/events', { params: { path: { id }, query: { limit: 50, cursor: pageParam } }, signal }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });

export const instancesQuery = (
  query: ListParams & { status?: InstanceStatus[]; server_id?: string; environment_id?: string },
) =>
  queryOptions({
    queryKey: [...keys.instances, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances', { params: { query }, signal })),
  });

export const instanceQuery = (id: string) =>
  queryOptions({
    queryKey: keys.instance(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}', { params: { path: { id } }, signal })),
  });

export const instanceStatsQuery = (id: string, enabled: boolean) =>
  queryOptions({
    queryKey: ['instance-stats', id] as const,
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/stats', { params: { path: { id } }, signal })),
    enabled,
    refetchInterval: 5_000,
    retry: false,
  });

export const jobsQuery = (
  query: Omit<ListParams, 'q'> & { status?: JobStatus[]; kind?: string; server_id?: string; instance_id?: string },
) =>
  queryOptions({
    queryKey: [...keys.jobs, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/jobs', { params: { query }, signal })),
  });

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: keys.job(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/jobs/{id}', { params: { path: { id } }, signal })),
  });

export interface Counts {
  total: number;
  byStatus: Record<string, number>;
  /** There are more than were counted. */
  more: boolean;
}

const COUNT_PAGES = 10;

async function count(next: (cursor?: string) => Promise<Page<{ status: string }>>): Promise<Counts> {
  const counts: Counts = { total: 0, byStatus: {}, more: false };
  let cursor: string | undefined;
  for (let page = 0; page < COUNT_PAGES; page += 1) {
    const answer = await next(cursor);
    for (const { status } of answer.data) {
      counts.total += 1;
      counts.byStatus[status] = (counts.byStatus[status] ?? 0) + 1;
    }
    if (!answer.has_more || !answer.next_cursor) return counts;
    cursor = answer.next_cursor;
  }
  return { ...counts, more: true };
}

export const serverCountsQuery = queryOptions({
  queryKey: [...keys.counts, 'servers'],
  queryFn: ({ signal }) =>
    count((cursor) => unwrap(api.GET('/api/servers', { params: { query: { limit: 100, cursor } }, signal }))),
});

export const instanceCountsQuery = queryOptions({
  queryKey: [...keys.counts, 'instances'],
  queryFn: ({ signal }) =>
    count((cursor) => unwrap(api.GET('/api/instances', { params: { query: { limit: 100, cursor } }, signal }))),
});
