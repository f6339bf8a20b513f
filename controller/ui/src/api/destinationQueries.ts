// What the console reads of destinations of backups.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { all } from './identityQueries';
import { keys } from './queries';

/** All of them: an organization has a few. */
export const destinationsQuery = queryOptions({
  queryKey: keys.destinations,
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/backup-destinations', { params: { query }, signal }))),
});

export const destinationQuery = (id: string) =>
  queryOptions({
    queryKey: keys.destination(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/backup-destinations/{id}', { params: { path: { id } }, signal })),
  });
