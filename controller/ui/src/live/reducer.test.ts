import { describe, expect, it } from 'vitest';
import type { Event, Job, MetricsSample } from '@/api/types';
import { appendSample, effectsOf, rememberEvent, withProgress } from './reducer';

const message = (event: string, data: unknown, id: string | null = null) => ({ event, data: JSON.stringify(data), id });
const event = (id: string, type = 'instance.started'): Event => ({
  id,
  type,
  created_at: '2026-01-01T00:00:00Z',
  organization_id: 'o',
  actor: { type: 'user', id: 'u', name: 'Ada' },
  subject: { type: 'instance', id: 'i1', name: 'shop' },
  data: {},
});
const sample = (minute: number) => ({ at: new Date(minute * 60_000).toISOString() }) as MetricsSample;

describe('effectsOf', () => {
  it('refetches what has changed', () => {
    expect(effectsOf(message('changed', { subject: { type: 'server', id: 's1' } }))).toEqual([
      { kind: 'refetch', subject: 'server', id: 's1' },
    ]);
  });
  it('keeps a durable event and refetches its subject', () => {
    const e = event('1');
    expect(effectsOf(message('instance.started', e, '5-1'))).toEqual([
      { kind: 'happened', event: e },
      { kind: 'refetch', subject: 'instance', id: 'i1' },
    ]);
  });
  it('follows projects and environments', () => {
    const e = { ...event('3', 'environment.deleting'), subject: { type: 'environment', id: 'e1', name: 'Staging' } };
    expect(effectsOf(message('environment.deleting', e, '7-3'))[1]).toEqual({ kind: 'refetch', subject: 'environment', id: 'e1' });
  });
  it('asks for the notices again when one comes or goes', () => {
    const e = { ...event('2', 'notice.raised'), subject: { type: 'server', id: 's1', name: 'web-1' } };
    expect(effectsOf(message('notice.raised', e, '6-2'))).toEqual([
      { kind: 'happened', event: e },
      { kind: 'refetch', subject: 'notice', id: null },
      { kind: 'refetch', subject: 'server', id: 's1' },
    ]);
  });
  it('patches metrics and progress, and resets', () => {
    expect(effectsOf(message('metrics', { server_id: 's', sample: sample(1) }))[0]?.kind).toBe('metrics');
    expect(effectsOf(message('progress', { job_id: 'j', step: 'pull', progress: { done: 1, total: 2, unit: 'bytes' } }))).toEqual([
      { kind: 'progress', jobId: 'j', step: 'pull', progress: { done: 1, total: 2, unit: 'bytes' } },
    ]);
    expect(effectsOf({ event: 'reset', data: '', id: null })).toEqual([{ kind: 'reset' }]);
  });
  it('leaves alone what it does not know', () => {
    expect(effectsOf(message('weather', { sunny: true }))).toEqual([]);
    expect(effectsOf({ event: 'changed', data: 'not json', id: null })).toEqual([]);
    expect(effectsOf(message('changed', { subject: { type: 'moon', id: '1' } }))).toEqual([]);
  });
});

describe('caches', () => {
  it('appends newer samples and forgets old ones', () => {
    const series = [sample(0), sample(30)];
    expect(appendSample(series, sample(61), 3_600_000)).toEqual([sample(30), sample(61)]);
    expect(appendSample(series, sample(30), 3_600_000)).toBe(series);
  });
  it('remembers events once, newest first, up to a limit', () => {
    const two = rememberEvent(rememberEvent([], event('1')), event('2'));
    expect(two.map((e) => e.id)).toEqual(['2', '1']);
    expect(rememberEvent(two, event('1'))).toBe(two);
    expect(rememberEvent(two, event('3'), 2).map((e) => e.id)).toEqual(['3', '2']);
  });
  it('puts progress on the step that makes it', () => {
    const job = { steps: [{ name: 'a' }, { name: 'b' }] } as Job;
    const progress = { done: 5, total: 10, unit: 'bytes' };
    expect(withProgress(job, 'b', progress).steps).toEqual([{ name: 'a' }, { name: 'b', progress }]);
  });
});
