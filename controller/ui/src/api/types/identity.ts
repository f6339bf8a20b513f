// Who may do what.

export interface Membership {
  id: string;
  slug: string;
  name: string;
  role: string;
  permissions: string[];
}

export interface User {
  id: string;
  email: string;
  name: string;
  is_admin: boolean;
  created_at: string;
  organizations: Membership[];
}

export interface BootstrapStatus {
  needed: boolean;
  token_required: boolean;
  version: string;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  permissions: string[];
  expires_at: string | null;
  last_used_at: string | null;
  created_at: string;
  revoked_at: string | null;
}
