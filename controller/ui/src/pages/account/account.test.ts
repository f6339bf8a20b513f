import { describe, expect, it } from 'vitest';
import { errorFromBody } from '@/api/errors';
import { digitsOf, grouped, recoveryText } from '@/lib/codes';
import { deviceOf, isPhone } from '@/lib/device';
import { owedOfHash, providerHref, safeNext } from '@/pages/auth/next';
import { oauthProblem } from '@/pages/auth/oauthErrors';
import { methodWords, reasonWords } from './methods';
import { toggled } from './notices';
import { commentOf, publicKeyProblem } from './sshKey';

describe('where somebody goes after signing in', () => {
  it('is a page of this console and no other site', () => {
    expect(safeNext('/servers/1?tab=terminal#x')).toBe('/servers/1?tab=terminal#x');
    for (const bad of [undefined, '', 'servers', '//evil.test', '/\\evil.test', 'https://evil.test', 'javascript:alert(1)']) {
      expect(safeNext(bad)).toBe('/');
    }
  });
  it('is none of the pages that lead in', () => {
    for (const page of ['/login', '/login?next=/x', '/signup', '/reset-password#token=x']) expect(safeNext(page)).toBe('/');
    expect(safeNext('/login-history')).toBe('/login-history');
  });
  it('goes along to a provider', () => {
    expect(providerHref('git hub', '/a?b=1&c=2')).toBe('/api/auth/oauth/git%20hub?return_to=%2Fa%3Fb%3D1%26c%3D2');
    expect(providerHref('github', '//evil.test')).toBe('/api/auth/oauth/github?return_to=%2F');
  });
});

describe('a second factor that a provider’s sign-in owes', () => {
  it('is read from behind the #', () => {
    const owed = owedOfHash('#mfa_token=t%2B1&methods=totp,passkey,other&return_to=%2Faccount', 1000);
    expect(owed).toEqual({ token: 't+1', methods: ['totp', 'passkey', 'other'], expiresAt: 301_000, next: '/account' });
    expect(owedOfHash('#mfa_token=t&methods=totp&return_to=//evil.test', 0)?.next).toBe('/');
    expect(owedOfHash('#token=t', 0)).toBeNull();
    expect(owedOfHash('', 0)).toBeNull();
  });
  it('tells every refusal, and one that is not known', () => {
    expect(oauthProblem('account_exists')).toContain('already');
    expect(oauthProblem('__proto__')).toContain('not said why');
    expect(oauthProblem('new_word')).toContain('not said why');
  });
});

describe('codes', () => {
  it('are read kindly', () => {
    expect(digitsOf(' 123 456 ')).toBe('123456');
    expect(digitsOf('code: 1234567')).toBe('123456');
    expect(grouped('GEZDGNBVGY')).toBe('GEZD GNBV GY');
  });
  it('are kept with whose they are', () => {
    const text = recoveryText(['abcd-efgh-jkmn'], 'ada@example.com', 'ocore.example.com', '2026-11-22');
    expect(text).toContain('ada@example.com at ocore.example.com, made on 2026-11-22');
    expect(text.split('\n')).toContain('abcd-efgh-jkmn');
  });
});

describe('an SSH key', () => {
  it('is refused before it leaves the browser when it is the private one', () => {
    expect(publicKeyProblem('-----BEGIN OPENSSH PRIVATE KEY-----\nabc')).toContain('private');
    expect(publicKeyProblem('')).toContain('needed');
    expect(publicKeyProblem('ssh-ed25519 AAAAC3 a\nssh-ed25519 AAAAC3 b')).toContain('one line');
    expect(publicKeyProblem('hello')).toContain('ssh-ed25519');
    for (const good of ['ssh-ed25519 AAAAC3Nz ada@laptop', 'ecdsa-sha2-nistp256 AAAAE2', ' sk-ssh-ed25519@openssh.com AAAAG x \n']) {
      expect(publicKeyProblem(good)).toBeNull();
    }
  });
  it('brings its name along', () => {
    expect(commentOf('ssh-ed25519 AAAA ada at home')).toBe('ada at home');
    expect(commentOf('ssh-ed25519 AAAA')).toBe('');
  });
});

describe('words', () => {
  it('tell how somebody signed in', () => {
    expect(methodWords('password+totp')).toBe('password and code of the app');
    expect(methodWords('oauth:github')).toBe('GitHub');
    expect(methodWords('oauth:acme+recovery_code')).toBe('acme and recovery code');
    expect(reasonWords('wrong_code')).toBe('Wrong code');
    expect(reasonWords('new_reason')).toBe('New reason');
  });
  it('name a device', () => {
    const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
    expect(deviceOf(chrome)).toBe('Chrome on Linux');
    expect(deviceOf(`${chrome} Edg/140.0`)).toBe('Edge on Linux');
    expect(deviceOf('')).toBe('This device');
    expect(isPhone(chrome)).toBe(false);
  });
  it('leave routes to programs', () => {
    const told = (message: string) => errorFromBody(409, { error: { code: 'x', message } }).message;
    expect(told('Transfer them first (POST /api/org/transfer), or delete them.')).toBe('Transfer them first, or delete them.');
    expect(told('Pay (soon).')).toBe('Pay (soon).');
  });
});

describe('a switch of notices', () => {
  it('changes its own kind only, and once', () => {
    expect(toggled(['a', 'b'], 'b', true)).toEqual(['a']);
    expect(toggled(['a'], 'b', false)).toEqual(['a', 'b']);
    expect(toggled(['a', 'b'], 'b', false)).toEqual(['a', 'b']);
  });
});
