// The operations that the console uses, in the form that openapi-fetch reads. The same form comes out of
// `npm run generate`, so the generated `paths` can take this one's place.
import type { AccountPaths } from './accountPaths';
import type { AdminPaths } from './adminPaths';
import type { IdentityPaths } from './identityPaths';
import type { Id, Operation, Paging } from './operation';
import type { SignalsPaths } from './signalsPaths';
import type * as t from './types';

export interface paths extends AccountPaths, IdentityPaths, SignalsPaths, AdminPaths {
  '/api/auth/bootstrap/status': { get: Operation<t.BootstrapStatus> };
  '/api/auth/bootstrap': {
    post: Operation<
      t.SignedIn,
      {
        body: {
          email: string;
          password: string;
          name: string;
          organization_name: string;
          token?: string;
          public_urls?: string[];
          public_urls_unchecked?: boolean;
        };
      }
    >;
  };
  '/api/auth/logout': { post: Operation<never> };
  '/api/auth/ws-ticket': {
    post: Operation<{ ticket: string; expires_in: number }, { body: { target: string } }>;
  };
  '/api/servers': {
    get: Operation<t.Page<t.Server>, { query: Paging & { status?: string; label?: string; q?: string } }>;
    post: Operation<{ server: t.Server; install: t.InstallCommand }, { body: t.ServerCreate }>;
  };
  '/api/servers/{id}': {
    get: Operation<t.Server, Id>;
    patch: Operation<t.Server, Id & { body: t.ServerPatch }>;
    delete: Operation<t.Accepted, Id & { query: { force?: boolean } }>;
  };
  '/api/servers/{id}/install-command': { post: Operation<t.InstallCommand, Id> };
  '/api/servers/{id}/metrics': { get: Operation<t.MetricsSeries, Id & { query: { period?: t.Period } }> };
  '/api/servers/{id}/inventory/containers': { get: Operation<{ data: t.ContainerInfo[] }, Id> };
  '/api/servers/{id}/events': { get: Operation<t.Page<t.Event>, Id & { query: Paging }> };

  '/api/instances': {
    get: Operation<
      t.Page<t.Instance>,
      { query: Paging & { server_id?: string; status?: string; q?: string; label?: string } }
    >;
    post: Operation<t.Accepted, { body: t.InstanceCreate }>;
  };
  '/api/instances/{id}': {
    get: Operation<t.Instance, Id>;
    patch: Operation<t.Instance, Id & { body: t.InstancePatch }>;
    delete: Operation<t.Accepted, Id & { query: { purge?: boolean; skip_backup?: boolean } }>;
  };
  '/api/instances/{id}/start': { post: Operation<t.Accepted, Id> };
  '/api/instances/{id}/stop': { post: Operation<t.Accepted, Id> };
  '/api/instances/{id}/restart': { post: Operation<t.Accepted, Id> };
  '/api/instances/{id}/kill': { post: Operation<t.Accepted, Id> };
  '/api/instances/{id}/stats': { get: Operation<t.ContainerStats, Id> };
  '/api/instances/{id}/logs/history': {
    get: Operation<t.LogPage, Id & { query: { before?: string; limit?: number } }>;
  };

  '/api/jobs': {
    get: Operation<
      t.Page<t.Job>,
      { query: Paging & { status?: string; kind?: string; server_id?: string; instance_id?: string } }
    >;
  };
  '/api/jobs/{id}': { get: Operation<t.Job, Id> };
  '/api/jobs/{id}/cancel': { post: Operation<t.Accepted, Id> };
}
