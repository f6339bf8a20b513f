import { describe, expect, it } from 'vitest';
import type { MetricsSample, Server } from '@/api/types';
import { columnsOf, timeRange } from '@/charts/series';
import { adminPasswordProblem, alwaysPurged, takesPassword } from './instances/actions';
import { bodyOf, firstValues, rules } from './instances/newInstance';
import { sizeOf } from './instances/size';
import { installRows, isQuietTooLong } from './servers/install';
import { touchedOf, versionShown } from './settingsForm';

describe('installation', () => {
  const server = (stages: string[], problem: string | null = null) =>
    ({ install_stages: stages.map((stage, i) => ({ stage, at: new Date(i * 1000).toISOString() })), install_problem: problem }) as unknown as Server;
  const statuses = (s: Server | undefined) => installRows(s).map((row) => row.status);

  it('shows what is done, what is awaited and what is wrong', () => {
    expect(statuses(server(['fetched', 'verified']))).toEqual(['succeeded', 'succeeded', 'running', 'pending', 'pending']);
    expect(statuses(server(['fetched'], 'Bad signature'))).toEqual(['succeeded', 'failed', 'pending', 'pending', 'pending']);
    expect(installRows(server(['fetched'], 'Bad signature'))[1]?.problem).toBe('Bad signature');
    expect(statuses(undefined)).toEqual(['pending', 'pending', 'pending', 'pending', 'pending']);
  });
  it('takes a later stage as proof of the earlier ones', () => {
    expect(statuses(server(['tunnel']))).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded', 'running']);
  });
  it('gives advice after a minute without news', () => {
    expect(isQuietTooLong(server([]), 0, 59_000)).toBe(false);
    expect(isQuietTooLong(server([]), 0, 60_000)).toBe(true);
    expect(isQuietTooLong(server(['fetched', 'verified']), 0, 60_500)).toBe(false);
  });
});

describe('new instance', () => {
  it('sends what the form says', () => {
    const values = { ...firstValues('a@b.c', 's1', 'e1'), name: ' Acmé ', password: 'abcdefg1' };
    expect(bodyOf(values)).toMatchObject({ name: 'Acmé', slug: 'acme', environment_id: 'e1', server_id: 's1', odoo_version: '19.0', image: undefined, country: undefined, limits: { cpus: 2, memory_mb: 2048 } });
  });
  it('refuses what cannot work', () => {
    expect(rules.name('日本語')).not.toBeNull();
    expect(rules.modules(['sale', 'Not OK'])).toContain('Not OK');
    expect(rules.limits({ cpus: 0, memory_mb: 512 })).not.toBeNull();
    expect(rules.limits({ cpus: 1, memory_mb: 511 })).toContain('512');
    expect(rules.limits({ cpus: 1, memory_mb: 512 })).toBeNull();
    expect(sizeOf({ cpus: 3, memory_mb: 1 })).toBe('custom');
  });
});

describe('deleting an instance', () => {
  it('takes the data of a development environment, whatever is asked', () => {
    expect(alwaysPurged({ environment_type: 'development' })).toBe(true);
    expect(['staging', 'production'].some((environment_type) => alwaysPurged({ environment_type }))).toBe(false);
  });
});

describe('the password of an administrator', () => {
  it('is as long as the API wants it', () => {
    expect([adminPasswordProblem('eight ch'), adminPasswordProblem('x'.repeat(128))]).toEqual([null, null]);
    expect(adminPasswordProblem('seven c') && adminPasswordProblem('x'.repeat(129))).toBeTruthy();
  });
  it('is set while its database runs and nothing else is under way', () => {
    expect(takesPassword({ status: 'running', active_job_id: null })).toBe(true);
    expect(takesPassword({ status: 'running', active_job_id: 'j' }) || takesPassword({ status: 'stopped', active_job_id: null })).toBe(false);
  });
});

describe('settings', () => {
  const server = { version: 3, name: 'paris', description: '', usage: 1 };
  const valuesOf = ({ name, description }: typeof server) => ({ name, description });

  it('send what was touched, also when it was emptied', () => {
    const touched = touchedOf({ name: 'paris', description: '', schedulable: true }, (field) => field === 'description');
    expect(touched).toEqual({ description: '' });
  });
  it('name the version that was shown, unless a newer one shows the same', () => {
    expect(versionShown(server, { ...server, version: 5, usage: 2 }, valuesOf)).toBe(5);
    expect(versionShown(server, { ...server, version: 5, name: 'lyon' }, valuesOf)).toBe(3);
  });
});

describe('charts', () => {
  it('leave a hole where samples are missing', () => {
    const at = (minute: number) => ({ at: new Date(minute * 60_000).toISOString(), cpu_percent: minute }) as MetricsSample;
    const { times, columns } = columnsOf([at(0), at(1), at(9)], 60, [(s) => s.cpu_percent]);
    expect(times).toEqual([0, 60, 61, 540]);
    expect(columns).toEqual([[0, 1, null, 9]]);
  });

  it('shows five minutes at least, so that the first sample has a scale', () => {
    expect(timeRange(1000, 1000)).toEqual([700, 1000]);
    expect(timeRange(100, 1000)).toEqual([100, 1000]);
    expect(timeRange(null, null)).toEqual([-300, 0]);
  });
});
