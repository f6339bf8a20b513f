import { describe, expect, it } from 'vitest';
import { crumbs, isOpen, joined, nameProblem, parentOf, speed } from './files';

describe('paths', () => {
  it('go up and down', () => {
    expect(crumbs('addons/sale/models')).toEqual([
      { name: 'addons', path: 'addons' },
      { name: 'sale', path: 'addons/sale' },
      { name: 'models', path: 'addons/sale/models' },
    ]);
    expect(crumbs('')).toEqual([]);
    expect([joined('', 'addons'), joined('addons', 'a.py')]).toEqual(['addons', 'addons/a.py']);
    expect([parentOf('addons/a.py'), parentOf('addons')]).toEqual(['addons', '']);
  });

  it('are changed in addons alone', () => {
    expect(['addons', 'addons/sale', 'addons2', 'config', ''].map(isOpen)).toEqual([true, true, false, false, false]);
  });

  it('end in one name', () => {
    expect(['a.py', ' ', 'a/b', '..'].map((name) => nameProblem(name) === null)).toEqual([true, false, false, false]);
  });
});

describe('the speed of an upload', () => {
  it('is told when there is something to tell it by', () => {
    expect(speed([])).toBeNull();
    expect(speed([{ at: 0, sent: 0 }, { at: 100, sent: 900 }])).toBeNull();
    expect(speed([{ at: 0, sent: 0 }, { at: 2000, sent: 4096 }])).toBe(2048);
  });
});
