// What the console reads of registries.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { all } from './identityQueries';
import { keys } from './queries';

/** All of them: an organization has a few. */
export const registriesQuery = queryOptions({
  queryKey: keys.registries,
  queryFn: ({ signal }) => all((query) => unwrap(api.GET('/api/registries', { params: { query }, signal }))),
});

export const registryQuery = (id: string) =>
  queryOptions({
    queryKey: keys.registry(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/registries/{id}', { params: { path: { id } }, signal })),
  });
