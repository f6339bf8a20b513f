import { describe, expect, it } from 'vitest';
import { kindOf, pageOf, worstTone } from './notices';
import type { Notice } from '@/api/types';

const notice = (kind: string, page = '/', type = 'server') =>
  ({ kind, page, subject: { type, id: 'i1', name: 'web & 1' } }) as Notice;

describe('notices', () => {
  it('lead into the console only', () => {
    expect(pageOf(notice('server_offline', '/servers/1'))).toBe('/servers/1');
    for (const page of ['//evil.example', 'https://evil.example', '/\\evil.example', 'javascript:alert(1)', '']) {
      expect(pageOf(notice('server_offline', page))).toBe('/');
    }
  });
  it('lead to the very thing', () => {
    expect(pageOf(notice('webhook_disabled', '/webhooks', 'webhook_endpoint'))).toBe('/webhooks/i1');
    expect(pageOf(notice('api_key_expiring', '/api-keys', 'api_key'))).toBe('/api-keys?q=web%20%26%201');
  });
  it('have a word for kinds of later versions', () => {
    expect(kindOf(notice('moon_full')).label).toBe('Moon full');
    expect(worstTone([notice('disk_full'), notice('job_failed')])).toBe('bad');
    expect(worstTone([notice('disk_full')])).toBe('warn');
  });
});
