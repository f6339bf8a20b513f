// What the console reads of organizations, people, roles and keys.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';
import type { InvitationStatus, Page } from './types';

const ALL_PAGES = 10;
const ALL_LIMIT = 200;

/** All of a list that is short by nature, such as roles; of a long one the first two thousand. */
export async function all<T>(next: (query: { limit: number; cursor?: string }) => Promise<Page<T>>): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < ALL_PAGES; page += 1) {
    const answer = await next({ limit: ALL_LIMIT, cursor });
    found.push(...answer.data);
    if (!answer.has_more || !answer.next_cursor) break;
    cursor = answer.next_cursor;
  }
  return found;
}

export const organizationQuery = queryOptions({
  queryKey: [...keys.organization, 'itself'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/org', { signal })),
});

export const organizationSettingsQuery = queryOptions({
  queryKey: [...keys.organization, 'settings'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/org/settings', { signal })),
});

export const membersQuery = (query: ListParams) =>
  queryOptions({
    queryKey: [...keys.members, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/members', { params: { query }, signal })),
  });

export const allMembersQuery = queryOptions({
  queryKey: [...keys.members, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/members', { params: { query }, signal }))),
});

export const memberQuery = (id: string) =>
  queryOptions({
    queryKey: keys.member(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/members/{id}', { params: { path: { id } }, signal })),
  });

export const memberPermissionsQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.member(id), 'permissions'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/members/{id}/permissions', { params: { path: { id } }, signal })),
  });

export const invitationsQuery = (query: Omit<ListParams, 'q'> & { status?: InvitationStatus }) =>
  queryOptions({
    queryKey: [...keys.invitations, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/invites', { params: { query }, signal })),
  });

/** By the token of its link, for whoever holds that. */
export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ['invitation', token] as const,
    queryFn: ({ signal }) => unwrap(api.GET('/api/invites/{token}/preview', { params: { path: { token } }, signal })),
    staleTime: 0,
  });

export const rolesQuery = queryOptions({
  queryKey: [...keys.roles, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/roles', { params: { query }, signal }))),
});

export const roleQuery = (id: string) =>
  queryOptions({
    queryKey: keys.role(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/roles/{id}', { params: { path: { id } }, signal })),
  });

/** Every permission that there is, in the controller's own order. */
export const permissionsQuery = queryOptions({
  queryKey: ['permissions'],
  queryFn: async ({ signal }) => (await unwrap(api.GET('/api/permissions', { signal }))).data,
  staleTime: Infinity,
});

export const serviceAccountsQuery = queryOptions({
  queryKey: [...keys.serviceAccounts, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/service-accounts', { params: { query }, signal }))),
});

export const serviceAccountQuery = (id: string) =>
  queryOptions({
    queryKey: keys.serviceAccount(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/service-accounts/{id}', { params: { path: { id } }, signal })),
  });

export const apiKeysQuery = (query: ListParams) =>
  queryOptions({
    queryKey: [...keys.apiKeys, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/api-keys', { params: { query }, signal })),
  });

export const allApiKeysQuery = queryOptions({
  queryKey: [...keys.apiKeys, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/api-keys', { params: { query }, signal }))),
});

export const allProjectsQuery = queryOptions({
  queryKey: [...keys.projects, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/projects', { params: { query }, signal }))),
  staleTime: 60_000,
});

export const allEnvironmentsQuery = queryOptions({
  queryKey: [...keys.environments, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/environments', { params: { query }, signal }))),
  staleTime: 60_000,
});

export const allServersQuery = queryOptions({
  queryKey: [...keys.servers, 'all'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/servers', { params: { query }, signal }))),
  staleTime: 60_000,
});
