// What the console reads of an instance's files.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { ListParams } from './queries';

/** Not a part of the instance's own key: each of its events would have the server look again. */
export const filesKey = (id: string) => ['instance-files', id] as const;

export const filesQuery = (id: string, path: string, page: ListParams) =>
  queryOptions({
    queryKey: [...filesKey(id), 'list', path, page],
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/files', { params: { path: { id }, query: { ...page, path } }, signal })),
    retry: false,
  });

export const fileContentQuery = (id: string, path: string) =>
  queryOptions({
    queryKey: [...filesKey(id), 'content', path],
    queryFn: ({ signal }) => unwrap(api.GET('/api/instances/{id}/files/content', { params: { path: { id }, query: { path } }, signal })),
    retry: false,
    // What is being edited is not read anew under one's hands.
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
