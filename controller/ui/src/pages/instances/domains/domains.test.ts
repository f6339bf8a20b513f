import { describe, expect, it } from 'vitest';
import type { Domain, DomainAccess } from '@/api/types';
import { accessBody, accessField, accessText, accessValues, addressList, daysLeft, expiryText, expiryTone, inOrder } from './domains';

const ACCESS: DomainAccess = {
  allow: ['203.0.113.0/24'],
  deny: [],
  basic_auth: [{ username: 'ada', has_password: true }],
  redirect_to_primary: false,
  hsts_seconds: null,
};

describe('names of an instance', () => {
  it('has the primary one first and those of the zone last', () => {
    const domain = (host: string, is_primary: boolean, automatic: boolean) => ({ host, is_primary, automatic }) as Domain;
    const all = [domain('shop.apps.test', false, true), domain('b.test', false, false), domain('z.test', true, false), domain('a.test', false, false)];
    expect(inOrder(all).map(({ host }) => host)).toEqual(['z.test', 'a.test', 'b.test', 'shop.apps.test']);
  });

  it('counts the days of a certificate', () => {
    const now = Date.parse('2026-03-01T12:00:00Z');
    expect(daysLeft('2026-03-31T11:00:00Z', now)).toBe(29);
    expect([29, 10, 3].map(expiryTone)).toEqual(['good', 'warn', 'bad']);
    expect([1, 0, -1].map(expiryText)).toEqual(['ends in 1 day', 'ends today', 'has ended']);
  });
});

describe('who may come in', () => {
  it('is sent as it was typed, and what is stored is not sent again', () => {
    const values = accessValues(ACCESS);
    expect(accessBody(values)).toEqual({
      allow: ['203.0.113.0/24'],
      deny: [],
      basic_auth: [{ username: 'ada' }],
      redirect_to_primary: false,
      hsts_seconds: null,
    });
    const changed = { ...values, hsts: true, users: [{ username: ' bob ', password: 'a quiet door', stored: false }] };
    expect(accessBody(changed)).toMatchObject({ hsts_seconds: 31_536_000, basic_auth: [{ username: 'bob', password: 'a quiet door' }] });
  });

  it('takes addresses however they are pasted', () => {
    expect(addressList(' 10.0.0.1, 10.0.0.2\n2001:db8::/32;10.0.0.3 ')).toEqual(['10.0.0.1', '10.0.0.2', '2001:db8::/32', '10.0.0.3']);
    expect(addressList(' \n')).toEqual([]);
  });

  it('shows a problem where it is', () => {
    expect(['allow[0]', 'basic_auth[1].password', 'basic_auth[0]', 'hsts_seconds'].map(accessField)).toEqual([
      'allow', 'users.1.password', 'users.0.username', 'hstsSeconds',
    ]);
  });

  it('is told in a few words', () => {
    expect(accessText({ ...ACCESS, redirect_to_primary: true })).toEqual(['Sends people on to the primary one', 'Only 1 address', 'Password of 1 user']);
    expect(accessText({ ...ACCESS, allow: ['a', 'b'], basic_auth: [], hsts_seconds: 0 })).toEqual(['Only 2 addresses', 'Browsers keep to HTTPS']);
  });
});
