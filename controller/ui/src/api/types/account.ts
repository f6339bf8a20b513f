// One's own account, and the ways into it.

export const SIGNUP_MODES = ['closed', 'invitation', 'open'] as const;
export type SignupMode = (typeof SIGNUP_MODES)[number];

export interface SignInProvider {
  id: string;
  kind: 'github' | 'google' | 'oidc';
  name: string;
}

/** What the sign-in page shows beside the password. */
export interface SignInWays {
  signup: SignupMode;
  providers: SignInProvider[];
}

export interface SignedIn {
  expires_in: number;
  token_type: string;
  user: unknown;
}

export const FACTORS = ['totp', 'recovery_code', 'passkey'] as const;
export type Factor = (typeof FACTORS)[number];

/** The password was right, and something more is asked for. */
export interface SecondFactorOwed {
  mfa_required: true;
  mfa_token: string;
  methods: Factor[];
  expires_in: number;
}

export interface AccountPatch {
  name?: string;
  default_organization_id?: string | null;
}

export interface Session {
  id: string;
  current: boolean;
  /** `Firefox on Linux`. */
  device: string;
  user_agent: string;
  method: string;
  second_factor: boolean;
  address: string | null;
  last_used_at: string;
  created_at: string;
  expires_at: string;
}

/** A sign-in, or an attempt at one. */
export interface Login {
  id: string;
  method: string;
  succeeded: boolean;
  reason: string | null;
  address: string | null;
  device: string;
  user_agent: string;
  created_at: string;
}

export interface SshKey {
  id: string;
  name: string;
  key_type: string;
  public_key: string;
  fingerprint: string;
  is_default: boolean;
  last_used_at: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface TotpStatus {
  enabled: boolean;
  enabled_at: string | null;
  pending: boolean;
  recovery_codes_left: number;
}

/** A key for an authenticator app, shown once. */
export interface TotpEnrollment {
  secret: string;
  otpauth_uri: string;
}

export interface Passkey {
  id: string;
  device_name: string;
  host: string;
  transports: string[];
  backup_eligible: boolean;
  backup_state: boolean;
  last_used_at: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

/** The options and answers of browsers, as the WebAuthn standard writes them in JSON. */
export interface CreationOptions {
  publicKey: PublicKeyCredentialCreationOptionsJSON;
}

export interface RequestOptions {
  publicKey: PublicKeyCredentialRequestOptionsJSON;
}

export interface ConnectedAccount {
  id: string;
  provider: string;
  provider_name: string;
  email: string | null;
  name: string | null;
  last_used_at: string | null;
  created_at: string;
}

export interface NoticeChoice {
  /** Kinds that no mail comes of. */
  muted: string[];
  kinds: { kind: string; description: string }[];
  version: number;
}
