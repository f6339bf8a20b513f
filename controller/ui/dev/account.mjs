// One's own account and the ways into it, for the mock server. Codes: 123456 is right. At sign-in, the password "factor"
// asks for a second one, "unconfirmed" for the mailed link, "wrong" is wrong.
import { randomBytes, randomUUID } from 'node:crypto';
import { ago, now } from './data.mjs';

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile Safari/604.1';

const signup = process.env.MOCK_SIGNUP ?? 'open';
const providers = [
  { id: 'github', kind: 'github', name: 'GitHub' },
  { id: 'google', kind: 'google', name: 'Google' },
  { id: 'acme', kind: 'oidc', name: 'Acme Identity' },
];
const session = (rest) => ({ id: randomUUID(), current: false, method: 'password', second_factor: false, address: '203.0.113.9', last_used_at: ago(3000), created_at: ago(90_000), expires_at: ago(-9e5), device: 'Chrome on Linux', user_agent: CHROME, ...rest });
let sessions = [
  session({ current: true, method: 'password+totp', second_factor: true, address: '2001:db8::17', last_used_at: now() }),
  session({ method: 'passkey', device: 'Safari on iPhone', user_agent: PHONE }),
  session({ method: 'oauth:github', device: 'Firefox on Windows', address: '198.51.100.4', last_used_at: ago(500_000) }),
  session({ device: 'curl', user_agent: 'curl/8.15.0', address: null, last_used_at: ago(70_000) }),
];
const logins = Array.from({ length: 34 }, (_, i) => ({
  id: randomUUID(), succeeded: i % 5 !== 2, created_at: ago(4000 + i * 31_000), address: i % 3 ? '203.0.113.9' : '2001:db8:85a3::8a2e:370:7334',
  method: ['password+totp', 'passkey', 'password', 'oauth:github', 'password+recovery_code'][i % 5],
  reason: i % 5 === 2 ? (i % 2 ? 'wrong_code' : 'wrong_password') : null,
  device: i % 4 ? 'Chrome on Linux' : 'Safari on iPhone', user_agent: i % 4 ? CHROME : PHONE,
}));
const sshKey = (name, rest) => ({ id: randomUUID(), name, key_type: 'ssh-ed25519', public_key: `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA${randomBytes(24).toString('base64url')}`, fingerprint: `SHA256:${randomBytes(32).toString('base64').replace('=', '')}`, is_default: false, last_used_at: null, version: 1, created_at: ago(8e5), updated_at: ago(8e5), ...rest });
let sshKeys = [sshKey('laptop', { is_default: true, last_used_at: ago(7000) }), sshKey('yubikey', { key_type: 'sk-ssh-ed25519@openssh.com' })];
const passkey = (device_name, rest) => ({ id: randomUUID(), device_name, host: 'localhost', transports: ['internal'], backup_eligible: true, backup_state: true, last_used_at: ago(5000), version: 1, created_at: ago(6e6), updated_at: ago(6e6), ...rest });
let passkeys = [passkey('Ada’s laptop', {}), passkey('Security key', { host: 'ocore.acme.example', transports: ['usb'], backup_state: false, last_used_at: null })];
let connected = [{ id: randomUUID(), provider: 'github', provider_name: 'GitHub', email: 'ada@users.example', name: 'Ada', last_used_at: ago(500_000), created_at: ago(7e6) }];
let totp = { enabled: process.env.MOCK_TOTP === 'on', enabled_at: process.env.MOCK_TOTP === 'on' ? ago(4e6) : null, pending: false, recovery_codes_left: process.env.MOCK_TOTP === 'on' ? 2 : 0 };
const notices = {
  muted: ['job_failed'], version: 1,
  kinds: [
    ['server_offline', 'A server has not been connected for a minute.'], ['job_failed', 'A job that you have started has failed.'],
    ['certificate_expiring', 'A certificate ends soon and was not renewed.'], ['disk_full', 'A server’s disk is more than 90 % full.'],
    ['api_key_expiring', 'An API key ends within a week.'], ['webhook_disabled', 'A webhook was switched off because nothing came through.'],
  ].map(([kind, description]) => ({ kind, description })),
};

const refuse = (status, code, message, errors) => ({ status, body: { error: { code, message, errors } } });
const list = (data) => ({ body: { data, has_more: false, next_cursor: null } });
const none = { status: 204 };
const codes = () => Array.from({ length: 8 }, () => ['abcdefghjkmn', 'pqrs', 'tuvw'].map(() => Array.from({ length: 4 }, () => 'abcdefghjkmnpqrstuvwxyz23456789'[Math.floor(Math.random() * 31)]).join('')).join('-'));
const challenge = () => randomBytes(32).toString('base64url');
const isRight = (code) => code === '123456' || code.includes('-');
const wrongCode = (status) => refuse(status, 'wrong_code', 'The code is wrong, or was used before; wait for the next one and try again.');

/** What is asked before somebody has signed in. */
export function signInAnswer(path, body) {
  switch (path) {
    case '/api/auth/providers': return { body: { signup, providers } };
    case '/api/auth/login':
      if (body.password === 'factor') return { body: { mfa_required: true, mfa_token: 't', methods: ['totp', 'recovery_code', 'passkey'], expires_in: 300 } };
      if (body.password === 'unconfirmed') return refuse(403, 'email_unverified', 'Confirm your address first.');
      return null;
    case '/api/auth/login/totp': return isRight(body.code) ? { signedIn: true } : wrongCode(401);
    case '/api/auth/passkey/login/begin': return { body: { publicKey: { challenge: challenge(), timeout: 300_000, rpId: 'localhost', allowCredentials: [], userVerification: 'required' } } };
    case '/api/auth/passkey/login/finish': return { signedIn: true };
    case '/api/auth/signup': return { status: 201, body: { verification_required: true } };
    case '/api/auth/verify-email': return body.token === 'used' ? refuse(400, 'invalid', 'This link was used before.', [{ field: 'token', message: 'This link was used before.' }]) : { body: { email: 'ada@acme.example' } };
    case '/api/auth/verify-email/resend':
    case '/api/auth/forgot-password': return { status: 202, body: { message: 'A mail is on its way.' } };
    case '/api/auth/reset-password': return body.token === 'used' ? refuse(400, 'invalid', 'This link was used before.', [{ field: 'token', message: 'This link was used before.' }]) : none;
    default: return null;
  }
}

export function accountAnswer(method, path, body, user) {
  const [, , , noun, id, verb] = path.split('/');
  const wrongPassword = body.password === 'wrong' || body.current_password === 'wrong';
  if (wrongPassword) return refuse(403, 'wrong_password', 'The password is wrong.');
  switch (noun) {
    case undefined:
      if (method === 'PATCH') Object.assign(user, body, { version: user.version + 1 });
      return method === 'DELETE' ? refuse(409, 'owns_organizations', 'You own Acme Hosting, which have other members; transfer them first (POST /api/org/transfer), or delete them.') : { body: user };
    case 'password':
    case 'set-password': user.has_password = true; return none;
    case 'email': return { status: 202, body: { message: 'Open the link.' } };
    case 'sessions':
      if (method === 'DELETE') { sessions = sessions.filter((s) => s.id !== id); return none; }
      return list(sessions);
    case 'login-history': return list(logins);
    case 'ssh-keys': {
      if (method === 'GET') return list(sshKeys);
      if (method === 'DELETE') { sshKeys = sshKeys.filter((k) => k.id !== id); return none; }
      if (body.is_default) sshKeys.forEach((k) => { k.is_default = false; });
      if (method === 'PATCH') return { body: Object.assign(sshKeys.find((k) => k.id === id), body) };
      const made = sshKey(body.name ?? body.public_key.split(' ')[2] ?? 'key', { is_default: body.is_default, created_at: now() });
      sshKeys.unshift(made);
      return { status: 201, body: made };
    }
    case 'totp':
      if (id === 'enroll') { const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'; return { body: { secret, otpauth_uri: `otpauth://totp/oCore:ada%40acme.example?secret=${secret}&issuer=oCore` } }; }
      if (id && !isRight(body.code)) return wrongCode(403);
      if (id === 'disable') { totp = { enabled: false, enabled_at: null, pending: false, recovery_codes_left: 0 }; return none; }
      if (id) { totp = { enabled: true, enabled_at: totp.enabled_at ?? now(), pending: false, recovery_codes_left: 8 }; return { body: { recovery_codes: codes() } }; }
      return { body: totp };
    case 'passkeys':
      if (verb === 'begin') return { body: { publicKey: { rp: { name: 'oCore', id: 'localhost' }, user: { id: 'AZNW', name: user.email, displayName: user.name }, challenge: challenge(), pubKeyCredParams: [{ type: 'public-key', alg: -7 }], timeout: 300_000, excludeCredentials: [], attestation: 'none', authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' } } } };
      if (verb === 'finish') { const made = passkey('Chrome on Linux', { created_at: now(), last_used_at: null }); passkeys.unshift(made); return { status: 201, body: made }; }
      if (method === 'DELETE') { passkeys = passkeys.filter((p) => p.id !== id); return none; }
      if (method === 'PATCH') return { body: Object.assign(passkeys.find((p) => p.id === id), body) };
      return list(passkeys);
    case 'connected-accounts':
      if (method === 'DELETE') { connected = []; return none; }
      return { body: { ...list(connected).body, has_password: true } };
    case 'notices':
      if (method === 'PUT') Object.assign(notices, { muted: body.muted, version: notices.version + 1 });
      return { body: notices };
    default: return null;
  }
}
