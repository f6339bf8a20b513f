import { describe, expect, it } from 'vitest';
import { ApiError } from '@/api/errors';
import type { ConfigRevision, InstanceConfig, Job, Smtp } from '@/api/types';
import { confLines } from './confDiff';
import { lastInForce } from './revisions';
import { settingTitle, settingValue } from './settings';
import { changesOf, keepsPassword, keyProblem, mailProblem, messagesOf, valuesOf, withoutPassword } from './values';

const stored: Smtp = { host: 'mail.example.com', port: 587, encryption: 'starttls', user: 'shop', has_password: true };
const config = { workers: null, log_level: 'info', log_handler: [], server_wide_modules: [], unaccent: false, smtp: stored, extra_conf: { a: '1' } } as unknown as InstanceConfig;
const values = valuesOf(config);
const mail = values.smtp;

describe('what is sent', () => {
  it('is what was touched; empty leaves it to oCore', () => {
    const touched = (field: string) => ['workers', 'users', 'extra_conf'].includes(field);
    const typed = { ...values, workers: '', users: 40, extra_conf: [{ key: ' b ', value: '2' }, { key: '', value: 'x' }] };
    expect(changesOf(typed, touched)).toEqual({ workers: null, users: 40, extra_conf: { b: '2' } });
  });
  it('keeps the password, sends another, or forgets it', () => {
    const smtp = (change: Partial<typeof mail>) => changesOf({ ...values, smtp: { ...mail, ...change } }, (field) => field === 'smtp').smtp;
    expect(smtp({ port: 25 })).toEqual({ host: 'mail.example.com', port: 25, encryption: 'starttls', user: 'shop', from: null, from_filter: null });
    expect(smtp({ password: 'x y' })).toMatchObject({ password: 'x y' });
    expect(smtp({ forget: true })).toMatchObject({ has_password: false });
    expect(smtp({ on: false })).toBeNull();
  });
  it('shows no password before it is saved', () => {
    expect(JSON.stringify(withoutPassword({ smtp: { host: 'a', password: 'half typ' } }))).not.toContain('half');
    expect(withoutPassword({ users: 1 })).toEqual({ users: 1 });
  });
});

describe('the form', () => {
  it('says when the stored password no longer counts', () => {
    expect(keepsPassword(stored, mail)).toBe(true);
    expect(keepsPassword(stored, { ...mail, host: 'elsewhere.example.com' })).toBe(false);
    expect(keepsPassword(stored, { ...mail, user: 'eve' })).toBe(false);
    expect(keepsPassword({ ...stored, has_password: false }, mail)).toBe(false);
  });
  it('asks for what is missing or twice', () => {
    expect(mailProblem({ ...mail, host: ' ' })).not.toBeNull();
    expect(mailProblem({ ...mail, on: false, host: '' })).toBeNull();
    expect(keyProblem('a', [{ key: 'a', value: '' }, { key: 'a ', value: '' }])).toContain('twice');
  });
  it('puts a refusal at its field', () => {
    const problem = (field: string, constraint = '') => ({ field, constraint, message: field });
    const fields = [problem('workers'), problem('smtp.has_password'), problem('log_handler[0]', 'pattern'), problem('extra_conf.a', 'conf_key_owned'), problem('extra_conf.z'), problem('moon')];
    expect(messagesOf(new ApiError(400, 'validation_error', '', fields), values)).toEqual({
      workers: 'workers', 'smtp.password': 'smtp.has_password', log_handler: 'log_handler[0]', 'extra_conf.0.key': 'extra_conf.a', extra_conf: 'extra_conf.z',
    });
  });
});

describe('odoo.conf', () => {
  it('shows what goes before what comes', () => {
    expect(confLines('a\nworkers = 0\nz\n', 'a\nworkers = 2\nz\nmore\n').map(({ kind, text }) => `${kind[0]} ${text}`)).toEqual([
      's a', 'r workers = 0', 'a workers = 2', 's z', 'a more',
    ]);
    expect(confLines('a\nb\n', 'a\nb\n').every(({ kind }) => kind === 'same')).toBe(true);
  });
});

describe('the history', () => {
  it('has words for settings and values', () => {
    expect([settingTitle('limit_time_real'), settingTitle('extra_conf.csv_sep'), settingTitle('moon')]).toEqual(['Time of a request', 'csv_sep', 'moon']);
    expect([settingValue('workers', null), settingValue('smtp.from', null), settingValue('smtp.has_password', true), settingValue('unaccent', false), settingValue('log_handler', ['a:INFO']), settingValue('log_level', 'warn')])
      .toEqual(['sized', 'not set', 'stored', 'off', 'a:INFO', 'Warnings']);
  });
  it('knows the last revision that was in force', () => {
    const revision = (number: number, job_id: string | null) => ({ revision: number, job_id }) as ConfigRevision;
    const history = [revision(5, 'c'), revision(4, 'b'), revision(3, 'a'), revision(1, null)];
    const job = (id: string, status: Job['status']) => ({ id, status }) as Job;
    expect(lastInForce(history, 5, [job('c', 'failed'), job('b', 'failed'), job('a', 'succeeded')])?.revision).toBe(3);
    expect(lastInForce(history, 5, [])?.revision).toBe(1);
    expect(lastInForce(history, 6, [job('a', 'succeeded')])).toBeNull();
  });
});
