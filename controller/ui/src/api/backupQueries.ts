// What the console reads of backups. An instance's are parts of it, so that what happens to it refreshes them.
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';
import type { BackupStatus } from './types';

export const instanceBackupsQuery = (id: string, query: ListParams) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'backups', query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/backups', { params: { path: { id }, query }, signal })),
    placeholderData: keepPreviousData,
  });

/** Of the whole organization, also those whose instance is gone. */
export const backupsQuery = (query: ListParams & { status?: BackupStatus }) =>
  queryOptions({
    queryKey: [...keys.backups, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/backups', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    // What is being made tells of it at its instance only.
    refetchInterval: 15_000,
  });
