// The operations of the platform's administrator.
import type { Id, Operation, Paging } from './operation';
import type * as t from './types';

type ChangeOfUser = { post: Operation<t.AdminUser, Id> };
type AgentFilter = { query: Paging & { name?: string; organization_id?: string; replica_id?: string } };

export interface AdminPaths {
  '/api/admin/metrics': { get: Operation<t.AdminMetrics> };
  '/api/admin/users': {
    get: Operation<t.Page<t.AdminUser>, { query: Paging & { q?: string; status?: t.UserStatus; is_admin?: boolean } }>;
    post: Operation<t.AdminUserMade, { body: t.AdminUserCreate }>;
  };
  '/api/admin/users/{id}': {
    get: Operation<t.AdminUserDetail, Id>;
    delete: Operation<never, Id & { query: { dry_run?: boolean } }>;
  };
  '/api/admin/users/{id}/suspend': { post: Operation<t.AdminUser, Id & { body: { reason: string } }> };
  '/api/admin/users/{id}/unsuspend': ChangeOfUser;
  '/api/admin/users/{id}/promote': ChangeOfUser;
  '/api/admin/users/{id}/demote': ChangeOfUser;
  '/api/admin/users/{id}/disable-totp': ChangeOfUser;
  '/api/admin/users/{id}/reset-password': { post: Operation<t.PasswordLink, Id> };

  '/api/admin/orgs': { get: Operation<t.Page<t.AdminOrganization>, { query: Paging & { q?: string } }> };
  '/api/admin/orgs/{id}': { get: Operation<t.AdminOrganizationDetail, Id> };

  '/api/admin/jobs': {
    get: Operation<
      t.AdminJobs,
      { query: Paging & { status?: t.JobStatus; kind?: string; executor?: t.Executor; organization_id?: string } }
    >;
  };
  '/api/admin/jobs/{id}/retry': { post: Operation<t.AdminJob, Id> };
  '/api/admin/jobs/{id}/cancel': { post: Operation<t.AdminJob, Id> };

  '/api/admin/mails': { get: Operation<t.Page<t.Mail>, { query: Paging & { status?: t.MailStatus; q?: string } }> };
  '/api/admin/mails/{id}': { get: Operation<t.MailOpened, Id> };
  '/api/admin/mails/{id}/retry': { post: Operation<t.Mail, Id> };

  '/api/admin/settings': {
    get: Operation<t.PlatformSettings>;
    put: Operation<t.PlatformSettings, { body: t.PlatformSettingsInput }>;
  };
  '/api/admin/settings/mail/test': {
    post: Operation<{ to: string; accepted: boolean; answer: string }, { body: { to?: string } }>;
  };
  '/api/admin/settings/logs': {
    get: Operation<t.LogSettings>;
    put: Operation<t.LogSettings, { body: { level?: string | null; job_log_days?: number | null; event_days?: number | null } }>;
  };

  '/api/admin/tunnels': { get: Operation<t.Page<t.ConnectedAgent>, AgentFilter> };
  '/api/tunnel/stats': { get: Operation<t.TunnelStats> };

  '/api/admin/audit-logs': { get: Operation<t.Page<t.AuditEntry>, { query: Paging & t.AuditFilter }> };
  '/api/admin/audit-logs/verify': { get: Operation<t.Verifications> };
}
