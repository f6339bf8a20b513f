// What the console reads of one's own account.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { all } from './identityQueries';
import { keys, type ListParams } from './queries';

/** Providers, and whether people may sign up; for everybody. */
export const signInWaysQuery = queryOptions({
  queryKey: keys.signInWays,
  queryFn: ({ signal }) => unwrap(api.GET('/api/auth/providers', { signal })),
  staleTime: 60_000,
});

export const totpQuery = queryOptions({
  queryKey: [...keys.account, 'totp'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/user/totp', { signal })),
});

export const passkeysQuery = queryOptions({
  queryKey: [...keys.account, 'passkeys'],
  queryFn: async ({ signal }) => (await unwrap(api.GET('/api/user/passkeys', { signal }))).data,
});

export const connectedAccountsQuery = queryOptions({
  queryKey: [...keys.account, 'connected'],
  queryFn: async ({ signal }) => (await unwrap(api.GET('/api/user/connected-accounts', { signal }))).data,
});

/** All of them: they are few, and the others are ended together. */
export const sessionsQuery = queryOptions({
  queryKey: [...keys.account, 'sessions'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/user/sessions', { params: { query }, signal }))),
  staleTime: 0,
});

export const loginHistoryQuery = (query: Omit<ListParams, 'q'>) =>
  queryOptions({
    queryKey: [...keys.account, 'logins', query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/user/login-history', { params: { query }, signal })),
    staleTime: 0,
  });

export const sshKeysQuery = queryOptions({
  queryKey: [...keys.account, 'ssh-keys'],
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/user/ssh-keys', { params: { query }, signal }))),
});

export const noticeChoiceQuery = queryOptions({
  queryKey: [...keys.account, 'notices'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/user/notices', { signal })),
});
