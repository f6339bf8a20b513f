import { describe, expect, it } from 'vitest';
import { ApiError } from '@/api/errors';
import type { AddonSourceInfo } from '@/api/types';
import { imageProblem, takesUpgrade, upgradeInput } from '../actions';
import { inOrder, isChanged, keepsCredential, marksOf, moved, nameOf, placeOf, problemsOf, removedOf, sourceInput, sourceRules, sourceValues, valuesOf } from './sources';
import { courseOf, upgradedText } from './UpdateChoice';

const info = (name: string, part: Partial<AddonSourceInfo> = {}): AddonSourceInfo => ({ name, url: `https://git.example.com/acme/${name}.git`, enterprise: false, paths: [''], reference: '18.0', commit: 'c0ffee', ...part });
const withToken = info('erp', { credential: { type: 'token', username: 'deploy', has_value: true } });
const stored = [info('first', { enterprise: true }), info('tools'), withToken];

describe('a source of addons', () => {
  it('has an address that git fetches from safely', () => {
    expect(placeOf('https://git.example.com:8443/a/b.git')).toEqual({ transport: 'https', host: 'git.example.com:8443' });
    expect(placeOf('git@example.com:a/b.git')).toEqual({ transport: 'ssh', host: 'example.com' });
    expect(placeOf('ssh://git@example.com:22/a')).toEqual({ transport: 'ssh', host: 'example.com:22' });
    for (const wrong of ['file:///etc', 'ext::sh -c x', 'https://ada:pw@example.com/a', 'https://example.com', '-oProxyCommand=x@h:p', 'ssh://-oProxyCommand=x/a', '/etc/passwd', 'https://a b/c', 'git@example.com:']) {
      expect(placeOf(wrong), wrong).toBeNull();
    }
    expect(['https://example.com/OCA/server_tools.git', 'git@example.com:acme.git', 'https://example.com/__/'].map(nameOf)).toEqual(['server-tools', 'acme', 'addons']);
  });
  it('keeps its credential with its server, its user and its name alone', () => {
    const values = sourceValues('k', withToken);
    expect(keepsCredential({ ...values, url: 'https://git.example.com/acme/other.git' })).toBe(true);
    for (const part of [{ url: 'https://git.example.org/a' }, { username: 'ada' }, { name: 'other' }, { credential: 'ssh_key' as const }]) {
      expect(keepsCredential({ ...values, ...part })).toBe(false);
    }
    const { token, credential, ssh_key, name } = sourceRules(['tools']);
    expect(token('', values)).toBeNull();
    expect(token('', { ...values, username: 'ada' })).toContain('again');
    expect(credential('token', { ...values, url: 'git@example.com:a' })).toContain('SSH');
    expect(ssh_key('nonsense', { ...values, credential: 'ssh_key' })).toContain('BEGIN');
    expect(name('', { ...values, name: '', url: 'https://a.example/tools.git' })).toContain('tools');
  });
  it('is sent without what the server found and without a value that stays', () => {
    expect(sourceInput(sourceValues('k', withToken))).toEqual({
      name: 'erp', url: withToken.url, reference: '18.0', enterprise: false, credential: { type: 'token', username: 'deploy' }, ca_certificate: null, known_hosts: null,
    });
  });
});

describe('the list of sources', () => {
  it('knows what differs from what is in force', () => {
    const same = valuesOf(stored);
    expect(isChanged(same, stored)).toBe(false);
    const other = moved(same, 2, 1);
    expect(marksOf(other, stored)).toEqual([null, 'moved', 'moved']);
    expect(marksOf([same[0]!, { ...same[2]!, token: 'new' }, sourceValues('n', null)], stored)).toEqual([null, 'changed', 'new']);
    expect(marksOf(same.slice(1), stored)).toEqual([null, null]);
    expect(removedOf(same.slice(1), stored).map(({ name }) => name)).toEqual(['first']);
    expect(inOrder([{ enterprise: false }, { enterprise: true }])[0]).toEqual({ enterprise: true });
  });
  it('takes what the API says to its field', () => {
    const problem = (field: string) => ({ field, constraint: 'x', message: field });
    const error = new ApiError(400, 'validation_error', 'x', ['sources[0].url', 'sources[2].credential.value', 'sources[2].commit', 'sources[9].url', 'update'].map(problem));
    expect(problemsOf(error, valuesOf(stored))).toEqual({ 0: { url: 'sources[0].url' }, 2: { token: 'sources[2].credential.value', url: 'sources[2].commit' } });
  });
});

describe('an upgrade', () => {
  it('names an image only where it is another one', () => {
    const way = { update: 'all' as const, safety_copy: false };
    expect(upgradeInput(' odoo:18 ', 'odoo:18', way)).toEqual(way);
    expect(upgradeInput('odoo:18.0', 'odoo:18', way)).toEqual({ ...way, image: 'odoo:18.0' });
    expect([imageProblem('r.example:5000/acme/odoo@sha256:ab'), imageProblem('not one') === null]).toEqual([null, false]);
    expect(takesUpgrade({ status: 'running', container_id: 'c' }) && !takesUpgrade({ status: 'stopped', container_id: 'c' }) && !takesUpgrade({ status: 'running' })).toBe(true);
  });
  it('says what happens, and what came of it', () => {
    expect(courseOf({ update: 'changed', safety_copy: false })[1]).toContain('No copy');
    expect(upgradedText({ updated: ['erp'], down_milliseconds: 8400 })).toBe('Updated: erp. Nobody was served for 8.4 s.');
    expect(upgradedText(null)).toBe('No module had to be updated. Odoo served all the time.');
  });
});
