// Who may do what.

export interface Membership {
  id: string;
  slug: string;
  name: string;
  role: string;
  /** What one may do there, in whatever scope. */
  permissions: string[];
}

export interface User {
  id: string;
  email: string;
  name: string;
  is_admin: boolean;
  /** Where the console begins. */
  default_organization_id: string | null;
  has_password: boolean;
  version: number;
  created_at: string;
  organizations: Membership[];
}

export interface BootstrapStatus {
  needed: boolean;
  token_required: boolean;
  version: string;
}

export interface Organization {
  id: string;
  name: string;
  slug: string;
  logo_url: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface OrganizationSettings {
  require_second_factor: boolean;
  audit_retention_days: number;
  version: number;
}

export const SCOPE_KINDS = ['organization', 'project', 'environment', 'server'] as const;
export type ScopeKind = (typeof SCOPE_KINDS)[number];

/** Where a role or a key counts. */
export interface ScopeRef {
  type: ScopeKind;
  id?: string | null;
}

export interface Grant {
  role_id: string;
  role: string;
  scope: ScopeRef;
}

export interface GrantInput {
  role_id: string;
  scope: ScopeRef;
}

export interface Role {
  id: string;
  name: string;
  description: string;
  is_system: boolean;
  permissions: string[];
  member_count: number;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface PermissionInfo {
  key: string;
  description: string;
}

export interface Member {
  id: string;
  name: string;
  email: string;
  /** The strongest role in the whole organization, else `member`. */
  role: string;
  is_owner: boolean;
  grants: Grant[];
  second_factor: boolean;
  last_login_at: string | null;
  joined_at: string;
  version: number;
}

export type Effect = 'allow' | 'deny';

export interface Override {
  permission: string;
  effect: Effect;
  created_at: string;
}

export interface EffectivePermission {
  permission: string;
  scope: ScopeRef;
  /** What gives it: `role developer`, `override`. */
  because: string[];
}

export interface MemberPermissions {
  is_owner: boolean;
  effective: EffectivePermission[];
  overrides: Override[];
  version: number;
}

export const INVITATION_STATUSES = ['pending', 'accepted', 'expired', 'cancelled'] as const;
export type InvitationStatus = (typeof INVITATION_STATUSES)[number];

export interface Invitation {
  id: string;
  email: string;
  role: string;
  role_id: string;
  status: InvitationStatus;
  invited_by: { type: string; id: string; name: string };
  expires_at: string;
  accepted_at: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

/** The link is there only where no mail is configured: then it has to be handed over in another way. */
export type InvitationSent = Invitation & { link?: string | null };

export interface InvitationView {
  organization: string;
  role: string;
  invited_by: string;
  email: string;
  has_account: boolean;
  expires_at: string;
}

export interface ServiceAccount {
  id: string;
  name: string;
  description: string;
  grants: Grant[];
  key_count: number;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  permissions: string[];
  scope: ScopeRef;
  /** Empty: from everywhere. */
  allowed_addresses: string[];
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  service_account_id: string | null;
  /** Until when the secret before the last rotation works as well. */
  previous_until: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

/** Shown this once. */
export type ApiKeyMade = ApiKey & { key: string };

export interface ApiKeyCreate {
  name: string;
  permissions: string[];
  scope?: ScopeRef;
  expires_at?: string;
  allowed_addresses?: string[];
  service_account_id?: string;
}

export interface Project {
  id: string;
  name: string;
  slug: string;
}

export interface Environment {
  id: string;
  name: string;
  slug: string;
  type: 'production' | 'staging' | 'development';
  project_id: string;
  project_name: string;
}
