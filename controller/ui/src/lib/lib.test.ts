import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Event } from '@/api/types';
import { causeOf, isAlarming, messageOf } from './events';
import { formatAgo, formatBytes, formatCount, formatDuration, formatPercent, humanize, plural } from './format';
import { KeySequence } from './hotkeys';
import { labelsFromTags, tagsFromLabels } from './labels';
import { generatePassword, passwordProblem, passwordStrength } from './password';
import { countryChoices, languageChoices } from './places';
import { retrying } from './retrying';
import { nameProblem, slugOf } from './slug';
import { EVENTS, forgetPerson, TERMINAL } from './storage';

describe('format', () => {
  it('bytes', () => {
    expect([0, 999, 1024, 1536, 1023.96 * 1024, 5e9, null].map(formatBytes)).toEqual(['0 B', '999 B', '1 KiB', '1.5 KiB', '1 MiB', '4.7 GiB', '–']);
  });
  it('durations', () => {
    expect([340, 4250, 8000, 59_900, 185_000, 7_800_000, 270_000_000].map(formatDuration)).toEqual(['340 ms', '4.2 s', '8 s', '59 s', '3 min 05 s', '2 h 10 min', '3 d 3 h']);
  });
  it('relative times, both ways', () => {
    const now = Date.parse('2026-05-01T12:00:00Z');
    expect(formatAgo('2026-05-01T11:59:55Z', now)).toBe('just now');
    expect(formatAgo('2026-05-01T11:56:00Z', now)).toBe('4 min ago');
    expect(formatAgo('2026-05-01T13:00:00Z', now)).toBe('in 1 h');
    expect(formatAgo('2026-04-20T12:00:00Z', now)).toBe('11 d ago');
  });
  it('words', () => {
    expect(formatPercent(4.25)).toBe('4.3 %');
    expect(formatPercent(71.6)).toBe('72 %');
    expect(formatCount(1234567)).toBe('1 234 567');
    expect(plural(1, 'line')).toBe('1 line');
    expect(humanize('instance_provision')).toBe('Instance provision');
  });
});

describe('slugs and names', () => {
  it('follows the rules of slugs', () => {
    expect(slugOf('Acmé Production (EU)')).toBe('acme-production-eu');
    expect(slugOf('--x--')).toBe('');
    expect(slugOf('a'.repeat(49) + ' b')).toBe('a'.repeat(49));
    for (const name of ['Ärger & Co', '日本 odoo 19', 'x--y-- --z', '1. Straße!']) {
      expect(slugOf(name)).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
    }
  });
  it('bounds names', () => {
    expect(nameProblem('ab')).not.toBeNull();
    expect(nameProblem('abc')).toBeNull();
    expect(nameProblem('x'.repeat(65))).not.toBeNull();
  });
});

describe('passwords', () => {
  it('names the first broken rule', () => {
    expect(passwordProblem('abc1')).toContain('8 characters');
    expect(passwordProblem('12345678')).toContain('letter');
    expect(passwordProblem('abcdefgh')).toContain('digit');
    expect(passwordProblem('abcdefg1')).toBeNull();
  });
  it('rates length and kinds', () => {
    expect(passwordStrength('aaaaaaa1')).toBeLessThan(35);
    expect(passwordStrength('correct-Horse7-battery')).toBeGreaterThan(80);
  });
  it('makes passwords that keep the rules and differ', () => {
    const made = new Set(Array.from({ length: 50 }, () => generatePassword()));
    expect(made.size).toBe(50);
    for (const password of made) {
      expect(password).toHaveLength(20);
      expect(passwordProblem(password)).toBeNull();
    }
  });
});

describe('events', () => {
  const event = (type: string, data: Record<string, unknown>): Event => ({
    id: 'e',
    type,
    created_at: '2026-01-01T00:00:00Z',
    organization_id: 'o',
    actor: { type: 'user', id: 'u', name: 'Ada' },
    subject: { type: type.split('.')[0] ?? '', id: 's', name: 'shop' },
    data,
  });
  const failure = { code: 'image_not_found', message: 'No such image', retryable: false };

  it('say why, wherever it stands', () => {
    expect(messageOf(event('instance.error', { reason: 'The container ended' }))).toBe('The container ended');
    expect(messageOf(event('instance.error', { job_id: 'j', kind: 'instance_start', failure }))).toBe('No such image');
    expect(messageOf(event('job.cancelled', { failure: null }))).toBeNull();
    expect(messageOf(event('server.online', { agent_version: '1' }))).toBeNull();
  });
  it('alarm when something is broken', () => {
    const alarming = ['instance.error', 'job.failed', 'server.offline', 'instance.started', 'job.cancelled', 'server.online'];
    expect(alarming.filter((type) => isAlarming(event(type, {})))).toEqual(alarming.slice(0, 3));
  });
  it('of one failed job have one cause', () => {
    const ofJob = { ...event('job.failed', { failure }), subject: { type: 'job', id: 'j', name: 'instance_start' } };
    expect(causeOf(ofJob)).toBe(causeOf(event('instance.error', { job_id: 'j', failure })));
  });
});

describe('storage', () => {
  afterEach(() => void vi.unstubAllGlobals());
  it('forgets what a tab remembers of a person, and nothing else', () => {
    const stored = new Map([[`${EVENTS}u.acme`, '1'], [`${TERMINAL}u./api/x`, '2'], ['ocore.organization', 'acme'], ['other', '3']]);
    vi.stubGlobal('sessionStorage', {
      get length() {
        return stored.size;
      },
      key: (index: number) => [...stored.keys()][index] ?? null,
      removeItem: (key: string) => void stored.delete(key),
    });
    forgetPerson();
    expect([...stored.keys()]).toEqual(['ocore.organization', 'other']);
    vi.unstubAllGlobals();
    expect(forgetPerson).not.toThrow();
  });
});

describe('others', () => {
  it('labels go there and back', () => {
    const labels = labelsFromTags(['region=eu', 'prod', ' a = b=c ']);
    expect(labels).toEqual({ region: 'eu', prod: '', a: 'b=c' });
    expect(tagsFromLabels(labels)).toEqual(['region=eu', 'prod', 'a=b=c']);
  });
  it('key sequences', () => {
    const keys = new KeySequence();
    expect([keys.press('g', 0), keys.press('s', 500)]).toEqual([null, 'g s']);
    expect([keys.press('g', 1000), keys.press('s', 9000)]).toEqual([null, null]);
    expect([keys.press('g', 10_000), keys.press('?', 10_100)]).toEqual([null, '?']);
    expect(keys.press('/', 20_000)).toBe('/');
  });
  it('loads again what failed, but not for ever', async () => {
    let calls = 0;
    const flaky = retrying(() => (++calls < 3 ? Promise.reject(new Error('away')) : Promise.resolve(calls)), 1);
    expect(await flaky()).toBe(3);
    await expect(retrying(() => Promise.reject(new Error('gone')), 1)()).rejects.toThrow('gone');
  });
  it('places have names and no doubles', () => {
    for (const choices of [languageChoices(), countryChoices()]) {
      expect(new Set(choices.map((c) => c.value)).size).toBe(choices.length);
      expect(choices.every((c) => c.label.length > c.value.length)).toBe(true);
    }
  });
});
