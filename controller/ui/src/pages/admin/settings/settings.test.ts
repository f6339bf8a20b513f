import { describe, expect, it } from 'vitest';
import type { OAuthView } from '@/api/types';
import { hostProblem, issuerProblem, keepsSecret, mailOf, mailValues, networksProblem, providerIdProblem, providersWith, providerValues } from './settings';

const provider = (id: string): OAuthView => ({
  id, kind: 'oidc', name: id.toUpperCase(), issuer: `https://${id}.example`, client_id: 'c', client_secret_set: true,
});

describe('mail', () => {
  it('leaves out a password that was not typed', () => {
    const values = { ...mailValues(null), host: ' smtp.example.com ', from_address: 'a@b.c' };
    expect(mailOf(values)).toEqual({ host: 'smtp.example.com', port: 587, tls: 'starttls', username: null, password: undefined, from_address: 'a@b.c', from_name: null });
    expect(mailOf({ ...values, username: 'u', password: ' p ' })?.password).toBe(' p ');
  });
  it('takes names and addresses of servers', () => {
    expect(['smtp.example.com', '192.0.2.1', '2001:db8::1'].map(hostProblem)).toEqual([null, null, null]);
    expect(['', 'a b', 'https://x'].map((host) => hostProblem(host) !== null)).toEqual([true, true, true]);
  });
});

describe('providers', () => {
  const [a, b] = [provider('aa'), provider('bb')];

  it('keep their secrets when another one changes', () => {
    const list = providersWith([a, b], b, { ...providerValues(b), name: 'New', client_secret: 's' });
    expect(list.map(({ id, name, client_secret }) => [id, name, client_secret])).toEqual([['aa', 'AA', undefined], ['bb', 'New', 's']]);
    expect(list.every((one) => !('client_secret_set' in one))).toBe(true);
  });
  it('come and go', () => {
    expect(providersWith([a], null, { ...providerValues(null), id: 'cc' }).map(({ id }) => id)).toEqual(['aa', 'cc']);
    expect(providersWith([a, b], a, null).map(({ id }) => id)).toEqual(['bb']);
    const google = { ...providerValues(a), kind: 'google' as const };
    expect(providersWith([a], a, google)[0]?.issuer).toBeNull();
  });
  it('ask for the secret again where it would go elsewhere', () => {
    expect(keepsSecret(a, providerValues(a))).toBe(true);
    expect(keepsSecret(a, { ...providerValues(a), name: 'Other' })).toBe(true);
    for (const change of [{ issuer: 'https://evil.example' }, { client_id: 'd' }, { id: 'zz' }]) {
      expect(keepsSecret(a, { ...providerValues(a), ...change })).toBe(false);
    }
    expect(keepsSecret(null, providerValues(a))).toBe(false);
  });
  it('have sane names and issuers', () => {
    expect(['ab', 'my-sso'].map((id) => providerIdProblem(id, []))).toEqual([null, null]);
    for (const id of ['a', '-a', 'a-', 'A1', 'a'.repeat(33)]) expect(providerIdProblem(id, [])).not.toBeNull();
    expect(providerIdProblem('aa', ['aa'])).not.toBeNull();
    expect(issuerProblem('https://sso.example/realm', 'oidc')).toBeNull();
    expect(issuerProblem('http://localhost:9000', 'oidc')).toBeNull();
    expect(issuerProblem('', 'github')).toBeNull();
    for (const wrong of ['', 'http://sso.example', 'https://a@b', 'https://a?x']) expect(issuerProblem(wrong, 'oidc')).not.toBeNull();
  });
});

describe('networks', () => {
  it('are addresses or networks', () => {
    expect(networksProblem(['10.20.0.0/16', 'fd00::/8', '127.0.0.1'])).toBeNull();
    expect(networksProblem(['10.20.0.0/16', 'intranet'])).toContain('intranet');
  });
});
