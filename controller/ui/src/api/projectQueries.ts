// What the console reads of projects and their environments.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { all } from './identityQueries';
import { keys, type ListParams } from './queries';

export const projectsQuery = (query: ListParams & { include_archived: boolean }) =>
  queryOptions({
    queryKey: [...keys.projects, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/projects', { params: { query: { ...query } }, signal })),
  });

export const projectQuery = (id: string) =>
  queryOptions({
    queryKey: keys.project(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/projects/{project_id}', { params: { path: { project_id: id } }, signal })),
  });

export const projectEnvironmentsQuery = (project_id: string) =>
  queryOptions({
    queryKey: [...keys.environments, 'of', project_id],
    queryFn: ({ signal }) =>
      all((query) =>
        unwrap(api.GET('/api/projects/{project_id}/environments', { params: { path: { project_id }, query }, signal })),
      ),
  });

export const environmentQuery = (id: string) =>
  queryOptions({
    queryKey: keys.environment(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/environments/{env_id}', { params: { path: { env_id: id } }, signal })),
  });
