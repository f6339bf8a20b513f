// What the platform's administrator sees.
import type { SignupMode } from './account';

import type { JobFailure, JobStatus } from './jobs';
import type { Reference } from './common';

export const USER_STATUSES = ['active', 'suspended', 'deactivated'] as const;
export type UserStatus = (typeof USER_STATUSES)[number];

export interface AdminUser {
  id: string;
  email: string;
  name: string;
  is_admin: boolean;
  status: UserStatus;
  suspended_at: string | null;
  suspended_reason: string | null;
  email_verified_at: string | null;
  totp_enabled: boolean;
  passkey_count: number;
  organization_count: number;
  last_login_at: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface AdminUserDetail extends AdminUser {
  organizations: { id: string; name: string; slug: string; is_owner: boolean; joined_at: string }[];
  session_count: number;
  api_key_count: number;
}

export interface AdminUserCreate {
  email: string;
  name: string;
  password?: string;
  is_admin: boolean;
}

/** Where a link for a new password went; shown here once where no mail is configured. */
export interface PasswordLink {
  mailed: boolean;
  link: string | null;
  expires_at: string;
}

export interface AdminUserMade extends AdminUser {
  password_link: PasswordLink | null;
}

export interface AdminOrganization {
  id: string;
  name: string;
  slug: string;
  owner_id: string | null;
  owner_name: string | null;
  owner_email: string | null;
  member_count: number;
  server_count: number;
  instance_count: number;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface AdminOrganizationDetail extends AdminOrganization {
  usage: {
    members: number;
    invitations: number;
    service_accounts: number;
    api_keys: number;
    projects: number;
    environments: number;
    servers: number;
    servers_online: number;
    instances: number;
    instances_running: number;
    jobs_24h: number;
    jobs_failed_24h: number;
    audit_entries: number;
    audit_retention_days: number;
    require_second_factor: boolean;
  };
}

export const EXECUTORS = ['agent', 'controller'] as const;
export type Executor = (typeof EXECUTORS)[number];

export interface AdminJob {
  id: string;
  kind: string;
  executor: Executor;
  status: JobStatus;
  organization_id: string | null;
  organization_name: string | null;
  server_id: string | null;
  instance_id: string | null;
  subject: Reference;
  lane: string | null;
  attempts: number;
  waiting: boolean;
  run_at: string;
  deadline_at: string | null;
  failure: JobFailure | null;
  cancel_requested: boolean;
  created_by: Reference;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  version: number;
}

export interface JobQueue {
  kind: string;
  executor: Executor;
  queued: number;
  running: number;
  oldest_due_at: string | null;
  succeeded_24h: number;
  failed_24h: number;
}

export interface AdminJobs {
  queues: JobQueue[];
  data: AdminJob[];
  next_cursor: string | null;
  has_more: boolean;
}

export interface AdminMetrics {
  version: string;
  at: string;
  users: {
    total: number;
    admins: number;
    suspended: number;
    signed_in_24h: number;
    with_second_factor: number;
    open_sessions: number;
  };
  organizations: number;
  servers: Record<string, number>;
  instances: Record<string, number>;
  jobs: { queued: number; running: number; succeeded_24h: number; failed_24h: number };
  mails: { queued: number; kept: number; failed_24h: number };
  audit: { entries_24h: number; unsealed: number };
  replicas: { id: string; version: string; started_at: string; agents: number }[];
  database_bytes: number;
}

export interface LogSettings {
  level: string;
  level_source: 'configuration' | 'settings';
  job_log_days: number;
  event_days: number;
  version: number;
}

export interface ConnectedAgent {
  server_id: string;
  server_name: string;
  organization_id: string;
  organization_name: string;
  replica_id: string;
  address: string | null;
  epoch: number;
  agent_version: string | null;
  connected_since: string;
  /** None: another process holds the tunnel. */
  streams: number | null;
}

export interface TunnelStats {
  connected: number;
  disconnected: number;
  streams: number;
  oldest_connection: string | null;
  newest_connection: string | null;
  replicas: { replica_id: string; version: string; seen_at: string; agents: number }[];
}

export const MAIL_STATUSES = ['queued', 'sent', 'failed', 'kept'] as const;
export type MailStatus = (typeof MAIL_STATUSES)[number];

export interface Mail {
  id: string;
  organization_id: string | null;
  recipient: string;
  template: string;
  subject: string;
  status: MailStatus;
  problem: string | null;
  sent_at: string | null;
  created_at: string;
}

/** None of both once it was sent. */
export interface MailOpened extends Mail {
  text: string | null;
  link: string | null;
}

export type MailTls = 'none' | 'starttls' | 'tls';
export type OAuthKind = 'github' | 'google' | 'oidc';

export interface MailServer {
  host: string;
  port: number;
  tls: MailTls;
  username: string | null;
  password_set: boolean;
  from_address: string;
  from_name: string | null;
}

export interface OAuthProvider {
  id: string;
  kind: OAuthKind;
  name: string;
  issuer: string | null;
  client_id: string;
  client_secret_set: boolean;
}

export interface PlatformSettings {
  signup: SignupMode;
  /** None: mail is kept for the administrator. */
  mail: MailServer | null;
  mail_source: 'none' | 'configuration' | 'settings';
  oauth: OAuthProvider[];
  webhooks: { allowed_networks: string[] };
  version: number;
}

export type OAuthInput = Omit<OAuthProvider, 'client_secret_set'> & { client_secret?: string };

export interface PlatformSettingsInput {
  signup?: SignupMode;
  /** None: as the controller is configured. */
  mail?: (Omit<MailServer, 'password_set'> & { password?: string }) | null;
  oauth?: OAuthInput[];
  webhooks?: { allowed_networks: string[] };
}
