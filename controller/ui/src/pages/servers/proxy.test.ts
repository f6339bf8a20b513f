import { describe, expect, it } from 'vitest';
import type { ServerProxy } from '@/api/types';
import { modeWarning, proxyBody, proxyRules, proxyValues } from './proxy';

const PROXY: ServerProxy = {
  server_id: 's', mode: 'managed', http_port: 80, https_port: 443, image: 'caddy:2', status: 'active', version: 3, zone: 'apps.example.com',
};

describe('a server’s proxy', () => {
  it('sends what was touched, and null for what was emptied', () => {
    const values = { ...proxyValues(PROXY), zone: ' ', acme_email: 'ops@example.com ' };
    expect(proxyBody(values, (field) => field === 'zone' || field === 'acme_email')).toEqual({ zone: null, acme_email: 'ops@example.com' });
  });

  it('wants two ports', () => {
    const values = proxyValues(PROXY);
    expect(proxyRules.https_port(443, values)).toBeNull();
    expect(proxyRules.https_port(80, values)).toBe('Another one than for HTTP');
    expect([0, 70_000, ''].map(proxyRules.http_port)).toEqual(Array(3).fill('A port from 1 to 65535'));
  });

  it('warns before names are given up', () => {
    expect(modeWarning('none', 'external')).toBeNull();
    expect(modeWarning('managed', 'external')).toContain('restarted');
    expect(modeWarning('managed', 'none')).toContain('refused');
  });
});
