// What the console reads of backups. An instance's are parts of it, so that what happens to it refreshes them.
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';

export const instanceBackupsQuery = (id: string, query: ListParams) =>
  queryOptions({
    queryKey: [...keys.instance(id), 'backups', query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/backups', { params: { path: { id }, query }, signal })),
    placeholderData: keepPreviousData,
  });
