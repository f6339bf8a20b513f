// What the console reads of an Odoo's modules.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { all } from './identityQueries';
import type { Instance } from './types';

/** All of them, for what needs what has to be seen as a whole. Read anew after each job of the instance, and not while
 * one is under way: Odoo is away then. */
export const modulesQuery = ({ id, status, container_id, active_job_id, last_job_id }: Instance) =>
  queryOptions({
    // No part of the instance's own key: each of its events would have every file looked at again.
    queryKey: ['instance-modules', id, last_job_id ?? null],
    queryFn: ({ signal }) =>
      all((query) => unwrap(api.GET('/api/instances/{id}/modules', { params: { path: { id }, query }, signal }))),
    enabled: container_id != null && active_job_id == null && status !== 'stopped' && status !== 'removing',
    staleTime: 5 * 60_000,
    retry: false,
  });
