// The operations on organizations, people, roles and keys.
import type { Id, Operation, Paging } from './operation';
import type * as t from './types';

type Token = { path: { token: string } };
type OfMember = { path: { id: string; key: string } };
type Named = { name: string; description: string };

export interface IdentityPaths {
  '/api/orgs': { post: Operation<t.Organization, { body: { name: string; slug?: string } }> };
  '/api/org': {
    get: Operation<t.Organization>;
    patch: Operation<t.Organization, { body: { name?: string; slug?: string; logo_url?: string | null } }>;
    delete: Operation<never, { query: { dry_run?: boolean } }>;
  };
  '/api/org/settings': {
    get: Operation<t.OrganizationSettings>;
    put: Operation<t.OrganizationSettings, { body: { require_second_factor?: boolean; audit_retention_days?: number } }>;
  };
  '/api/org/transfer': { post: Operation<never, { body: { member_id: string; password: string } }> };

  '/api/members': { get: Operation<t.Page<t.Member>, { query: Paging & { q?: string } }> };
  '/api/members/invite': { post: Operation<t.InvitationSent, { body: { email: string; role_id: string } }> };
  '/api/members/leave': { post: Operation<never> };
  '/api/members/{id}': {
    get: Operation<t.Member, Id>;
    delete: Operation<
      never,
      Id & { query: { keys?: 'revoke' | 'give'; service_account_id?: string; dry_run?: boolean } }
    >;
  };
  '/api/members/{id}/role': { put: Operation<t.Member, Id & { body: { role_id: string } }> };
  '/api/members/{id}/grants': {
    put: Operation<{ grants: t.Grant[]; version: number }, Id & { body: { grants: t.GrantInput[] } }>;
  };
  '/api/members/{id}/permissions': { get: Operation<t.MemberPermissions, Id> };
  '/api/members/{id}/permissions/{key}': {
    put: Operation<t.MemberPermissions, OfMember & { body: { effect: t.Effect } }>;
    delete: Operation<t.MemberPermissions, OfMember>;
  };

  '/api/invites': { get: Operation<t.Page<t.Invitation>, { query: Paging & { status?: t.InvitationStatus } }> };
  '/api/invites/{id}': { delete: Operation<never, Id> };
  '/api/invites/{id}/resend': { post: Operation<t.InvitationSent, Id> };
  '/api/invites/{token}/preview': { get: Operation<t.InvitationView, Token> };
  '/api/invites/{token}/accept': { post: Operation<{ organization_id: string }, Token> };

  '/api/permissions': { get: Operation<t.Page<t.PermissionInfo>> };
  '/api/roles': {
    get: Operation<t.Page<t.Role>, { query: Paging }>;
    post: Operation<t.Role, { body: Named & { permissions: string[] } }>;
  };
  '/api/roles/{id}': {
    get: Operation<t.Role, Id>;
    put: Operation<t.Role, Id & { body: Partial<Named> & { permissions?: string[] } }>;
    delete: Operation<never, Id & { query: { dry_run?: boolean } }>;
  };

  '/api/service-accounts': {
    get: Operation<t.Page<t.ServiceAccount>, { query: Paging }>;
    post: Operation<t.ServiceAccount, { body: Named & { grants: t.GrantInput[] } }>;
  };
  '/api/service-accounts/{id}': {
    get: Operation<t.ServiceAccount, Id>;
    patch: Operation<t.ServiceAccount, Id & { body: Partial<Named> & { grants?: t.GrantInput[] } }>;
    delete: Operation<never, Id & { query: { dry_run?: boolean } }>;
  };
  '/api/api-keys': {
    get: Operation<t.Page<t.ApiKey>, { query: Paging & { q?: string } }>;
    post: Operation<t.ApiKeyMade, { body: t.ApiKeyCreate }>;
  };
  '/api/api-keys/{id}': {
    patch: Operation<t.ApiKey, Id & { body: { name?: string; allowed_addresses?: string[] } }>;
    delete: Operation<never, Id>;
  };
  '/api/api-keys/{id}/rotate': { post: Operation<t.ApiKeyMade, Id & { body: { grace_seconds: number } }> };

  '/api/projects': { get: Operation<t.Page<t.Project>, { query: Paging }> };
  '/api/environments': { get: Operation<t.Page<t.Environment>, { query: Paging }> };
}
