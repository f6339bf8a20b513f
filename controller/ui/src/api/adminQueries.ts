// What the platform's administrator reads.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';
import type { Executor, JobStatus, MailStatus, UserStatus } from './types';

export const adminKeys = {
  users: [...keys.admin, 'users'] as const,
  user: (id: string) => [...keys.admin, 'user', id] as const,
  jobs: [...keys.admin, 'jobs'] as const,
  mails: [...keys.admin, 'mails'] as const,
  settings: [...keys.admin, 'settings'] as const,
  logs: [...keys.admin, 'logs'] as const,
};

export const adminMetricsQuery = queryOptions({
  queryKey: [...keys.admin, 'metrics'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/admin/metrics', { signal })),
  refetchInterval: 15_000,
});

export const adminUsersQuery = (query: ListParams & { status?: UserStatus; is_admin?: boolean }) =>
  queryOptions({
    queryKey: [...adminKeys.users, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/users', { params: { query }, signal })),
  });

export const adminUserQuery = (id: string) =>
  queryOptions({
    queryKey: adminKeys.user(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/users/{id}', { params: { path: { id } }, signal })),
  });

export const adminOrganizationsQuery = (query: ListParams) =>
  queryOptions({
    queryKey: [...keys.admin, 'organizations', query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/orgs', { params: { query }, signal })),
  });

export const adminOrganizationQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.admin, 'organization', id],
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/orgs/{id}', { params: { path: { id } }, signal })),
  });

export interface AdminJobParams extends Omit<ListParams, 'q'> {
  status?: JobStatus;
  kind?: string;
  executor?: Executor;
  organization_id?: string;
}

export const adminJobsQuery = (query: AdminJobParams) =>
  queryOptions({
    queryKey: [...adminKeys.jobs, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/jobs', { params: { query }, signal })),
    // The stream tells of the chosen organization only.
    refetchInterval: 5_000,
  });

export const adminMailsQuery = (query: ListParams & { status?: MailStatus }) =>
  queryOptions({
    queryKey: [...adminKeys.mails, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/mails', { params: { query }, signal })),
    refetchInterval: 10_000,
  });

export const platformSettingsQuery = queryOptions({
  queryKey: adminKeys.settings,
  queryFn: ({ signal }) => unwrap(api.GET('/api/admin/settings', { signal })),
});

export const logSettingsQuery = queryOptions({
  queryKey: adminKeys.logs,
  queryFn: ({ signal }) => unwrap(api.GET('/api/admin/settings/logs', { signal })),
});

export const tunnelsQuery = (query: Omit<ListParams, 'q'> & { name?: string }) =>
  queryOptions({
    queryKey: [...keys.admin, 'tunnels', query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tunnels', { params: { query }, signal })),
    refetchInterval: 10_000,
  });

export const tunnelStatsQuery = queryOptions({
  queryKey: [...keys.admin, 'tunnel-stats'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/tunnel/stats', { signal })),
  refetchInterval: 10_000,
});
