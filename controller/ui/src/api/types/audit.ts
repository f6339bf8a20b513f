// Who did what, and whether the record of it is whole.

export interface AuditEntry {
  id: string;
  organization_id: string | null;
  /** Its place in the chain; none until it is sealed, about a second later. */
  seq: number | null;
  action: string;
  actor: { type: string; id: string; name: string };
  subject: { type: string; id: string; name: string };
  before: unknown;
  after: unknown;
  address: string | null;
  user_agent: string | null;
  request_id: string | null;
  created_at: string;
}

export interface AuditFilter {
  actor?: string;
  action?: string;
  resource_type?: string;
  resource_id?: string;
  from?: string;
  to?: string;
  address?: string;
  q?: string;
  /** For the platform's administrator. */
  organization_id?: string;
}

export interface Verification {
  organization_id: string | null;
  valid: boolean;
  entries: number;
  first_seq: number;
  last_seq: number;
  unsealed: number;
  sealed_at: string | null;
  hash: string | null;
  signature: string | null;
  public_key: string;
  heads_checked: number;
  problem: { kind: string; seq: number; entry_id: string | null; message: string } | null;
}

export interface Verifications {
  valid: boolean;
  chains: Verification[];
}
