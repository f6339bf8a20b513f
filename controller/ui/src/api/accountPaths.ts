// The operations on one's own account, and those that lead into it.
import type { Id, Operation, Paging } from './operation';
import type * as t from './types';

type Told = { message: string };

export interface AccountPaths {
  '/api/auth/providers': { get: Operation<t.SignInWays> };
  '/api/auth/login': { post: Operation<t.SignedIn | t.SecondFactorOwed, { body: { email: string; password: string } }> };
  '/api/auth/login/totp': { post: Operation<t.SignedIn, { body: { mfa_token: string; code: string } }> };
  '/api/auth/passkey/login/begin': {
    post: Operation<t.RequestOptions, { body: { email?: string; mfa_token?: string } }>;
  };
  '/api/auth/passkey/login/finish': { post: Operation<t.SignedIn, { body: unknown }> };
  '/api/auth/signup': {
    post: Operation<
      { verification_required: boolean; organization_id?: string },
      {
        body: { email: string; name: string; password: string; organization_name?: string; invitation_token?: string };
      }
    >;
  };
  '/api/auth/verify-email': { post: Operation<{ email: string }, { body: { token: string } }> };
  '/api/auth/verify-email/resend': { post: Operation<Told, { body: { email: string } }> };
  '/api/auth/forgot-password': { post: Operation<Told, { body: { email: string } }> };
  '/api/auth/reset-password': { post: Operation<never, { body: { token: string; password: string } }> };

  '/api/user': {
    get: Operation<t.User>;
    patch: Operation<t.User, { body: t.AccountPatch }>;
    delete: Operation<never, { body: { password?: string } }>;
  };
  '/api/user/password': {
    post: Operation<
      never,
      { body: { current_password: string; new_password: string; revoke_other_sessions: boolean } }
    >;
  };
  '/api/user/set-password': { post: Operation<never, { body: { password: string } }> };
  '/api/user/email': { post: Operation<Told, { body: { email: string; password: string } }> };
  '/api/user/sessions': { get: Operation<t.Page<t.Session>, { query: Paging }> };
  '/api/user/sessions/{id}': { delete: Operation<never, Id> };
  '/api/user/login-history': { get: Operation<t.Page<t.Login>, { query: Paging }> };
  '/api/user/ssh-keys': {
    get: Operation<t.Page<t.SshKey>, { query: Paging }>;
    post: Operation<t.SshKey, { body: { name?: string; public_key: string; is_default?: boolean } }>;
  };
  '/api/user/ssh-keys/{id}': {
    patch: Operation<t.SshKey, Id & { body: { name?: string; is_default?: boolean } }>;
    delete: Operation<never, Id>;
  };
  '/api/user/totp': { get: Operation<t.TotpStatus> };
  '/api/user/totp/enroll': { post: Operation<t.TotpEnrollment> };
  '/api/user/totp/verify': { post: Operation<{ recovery_codes: string[] }, { body: { code: string } }> };
  '/api/user/totp/disable': { post: Operation<never, { body: { code: string } }> };
  '/api/user/totp/recovery-codes': { post: Operation<{ recovery_codes: string[] }, { body: { code: string } }> };
  '/api/user/passkeys': { get: Operation<t.Page<t.Passkey>> };
  '/api/user/passkeys/register/begin': { post: Operation<t.CreationOptions, { body: { device_name: string } }> };
  '/api/user/passkeys/register/finish': { post: Operation<t.Passkey, { body: unknown }> };
  '/api/user/passkeys/{id}': {
    patch: Operation<t.Passkey, Id & { body: { device_name: string } }>;
    delete: Operation<never, Id>;
  };
  '/api/user/connected-accounts': { get: Operation<t.Page<t.ConnectedAccount> & { has_password: boolean }> };
  '/api/user/connected-accounts/{id}': { delete: Operation<never, Id> };
  '/api/user/notices': { get: Operation<t.NoticeChoice>; put: Operation<t.NoticeChoice, { body: { muted: string[] } }> };
}
