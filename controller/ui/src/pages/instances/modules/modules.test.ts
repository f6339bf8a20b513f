import { describe, expect, it } from 'vitest';
import type { ModuleInfo } from '@/api/types';
import { byTechnicalName, dependentsOf, inputOf, isIn, isRemovable, lossesOf, neededBy, outcomeOf, stateOfModule, titleOf } from './modules';

const module = (name: string, state: string, part: Partial<ModuleInfo> = {}): ModuleInfo => ({ name, state, on_disk: true, needs_update: false, depends: [], ...part });
const modules = byTechnicalName([
  module('base', 'installed'),
  module('sale', 'installed', { depends: ['base'] }),
  module('sale_stock', 'installed', { depends: ['sale', 'stock'] }),
  module('stock', 'installed', { depends: ['base'] }),
  module('report', 'installed', { depends: ['sale_stock'] }),
  module('crm', 'uninstalled', { depends: ['base', 'phone'] }),
  module('phone', 'unlisted', { depends: ['base'] }),
  module('lost', 'uninstalled', { depends: ['crm', 'nowhere'] }),
  module('torn', 'uninstalled', { problem: 'invalid syntax (line 3)' }),
  module('over_torn', 'uninstalled', { depends: ['torn'] }),
]);
const one = (name: string) => modules.get(name)!;

describe('modules', () => {
  it('are told apart by what is in the database and on disk', () => {
    expect(stateOfModule(module('a', 'installed', { needs_update: true })).label).toBe('Needs an update');
    expect(stateOfModule(module('a', 'installed', { problem: 'gone' }))).toEqual({ label: 'Installed, broken', tone: 'bad' });
    expect(stateOfModule(one('phone')).label).toBe('New on disk');
    expect(isIn('problems', module('a', 'to upgrade')) && isIn('installed', module('a', 'to upgrade'))).toBe(true);
    expect(isIn('available', one('torn')) || isIn('available', module('a', 'uninstallable'))).toBe(false);
    expect(isRemovable(one('base')) || isRemovable(one('crm'))).toBe(false);
  });
  it('bring along what they need', () => {
    expect(neededBy(['crm'], modules)).toEqual({ along: ['phone'], obstacles: [] });
    expect(neededBy(['crm', 'phone'], modules).along).toEqual([]);
    expect(neededBy(['lost'], modules).obstacles).toEqual(['nowhere, which lost needs, is not on the addons path.']);
    expect(neededBy(['over_torn'], modules).obstacles[0]).toContain('torn, which over_torn needs, cannot be loaded: invalid syntax');
  });
  it('take along what needs them, by whatever way', () => {
    expect(dependentsOf(['sale'], modules)).toEqual(['report', 'sale_stock']);
    expect(dependentsOf(['crm'], modules)).toEqual([]);
  });
  it('survive needing each other', () => {
    const round = byTechnicalName([module('a', 'installed', { depends: ['b'] }), module('b', 'installed', { depends: ['a'] })]);
    expect(dependentsOf(['a'], round)).toEqual(['b']);
    expect(neededBy(['a'], round)).toEqual({ along: [], obstacles: [] });
  });
});

describe('a change of modules', () => {
  it('is sent as it was asked', () => {
    expect(inputOf({ kind: 'update_changed' }, true, true)).toEqual({ update_changed: true, safety_copy: true });
    expect(inputOf({ kind: 'install', names: ['crm'] }, false, true)).toEqual({ install: ['crm'], safety_copy: false });
    expect(inputOf({ kind: 'uninstall', names: ['sale'] }, true, true)).toEqual({ uninstall: ['sale'], safety_copy: true, with_dependents: true });
    expect(titleOf({ kind: 'update', names: ['a', 'b'] })).toBe('Update 2 modules');
  });
  it('says what is lost', () => {
    expect(lossesOf(['sale'], ['report', 'stock'])).toEqual([
      'sale: its tables and fields with all that is in them.',
      'What needs it: report, stock, and their tables and fields with all that is in them.',
    ]);
    expect(lossesOf(['a', 'b'], [])).toEqual(['a, b: their tables and fields with all that is in them.']);
  });
  it('says what came of it', () => {
    expect(outcomeOf({ installed: ['crm', 'phone'], updated: [], uninstalled: [], down_milliseconds: 65_000 })).toBe('crm, phone installed. Odoo was away for 1 min 05 s.');
    expect(outcomeOf({ installed: [], updated: [], uninstalled: [], down_milliseconds: 0 })).toBe('There was nothing to do.');
    expect(outcomeOf(null)).toBe('There was nothing to do.');
  });
});
