// What an entry changed, field by field, as people read it.
import { formatDateTime } from '@/lib/format';

export type ChangeKind = 'added' | 'removed' | 'changed' | 'same';

export interface Change {
  path: string;
  kind: ChangeKind;
  before?: unknown;
  after?: unknown;
  /** Of a list: what came in and what went out. */
  items?: { added: unknown[]; removed: unknown[]; kept: number };
  /** The value is secret and was never written down. */
  masked: boolean;
  /** Changes with every change. */
  bookkeeping: boolean;
}

const MASK = '•••';
const MASK_CHANGED = '••• (changed)';
const BOOKKEEPING = ['version', 'updated_at'];

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** One text for equal values, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (isFields(value)) {
    const entries = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
    return `{${entries.join()}}`;
  }
  return JSON.stringify(value) ?? 'undefined';
}

function byId(list: unknown[]): Fields | null {
  const ids = list.map((item) => (isFields(item) && typeof item.id === 'string' ? item.id : null));
  if (ids.some((id) => id === null) || new Set(ids).size !== ids.length) return null;
  return Object.fromEntries(list.map((item, index) => [ids[index], item]));
}

export function changesOf(before: unknown, after: unknown): Change[] {
  const found: Change[] = [];
  walk(before ?? undefined, after ?? undefined, '', found);
  return found;
}

function walk(before: unknown, after: unknown, path: string, found: Change[]): void {
  if (isBranch(before, after)) {
    const [earlier, later] = [(before ?? {}) as Fields, (after ?? {}) as Fields];
    const names = [...new Set([...Object.keys(earlier), ...Object.keys(later)])];
    for (const name of names) walk(earlier[name], later[name], path ? `${path}.${name}` : name, found);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && !same(before, after)) {
    const [earlier, later] = [byId(before), byId(after)];
    if (earlier && later && before.length + after.length > 0) return walk(earlier, later, path, found);
    found.push(change(path, 'changed', before, after, itemsOf(before, after)));
    return;
  }
  const kind = before === undefined ? 'added' : after === undefined ? 'removed' : kindOf(before, after);
  if (before !== undefined || after !== undefined) found.push(change(path, kind, before, after));
}

/** Both are objects with something in them, or one is and the other is absent. */
function isBranch(before: unknown, after: unknown): boolean {
  const [left, right] = [before ?? undefined, after ?? undefined];
  const filled = (value: unknown) => isFields(value) && Object.keys(value).length > 0;
  if (left === undefined) return filled(right);
  if (right === undefined) return filled(left);
  return isFields(left) && isFields(right) && (filled(left) || filled(right));
}

function kindOf(before: unknown, after: unknown): ChangeKind {
  if (after === MASK_CHANGED) return 'changed';
  return same(before, after) ? 'same' : 'changed';
}

function itemsOf(before: unknown[], after: unknown[]) {
  const [earlier, later] = [before.map(canonical), after.map(canonical)];
  return {
    added: after.filter((_, index) => !earlier.includes(later[index] ?? '')),
    removed: before.filter((_, index) => !later.includes(earlier[index] ?? '')),
    kept: after.filter((_, index) => earlier.includes(later[index] ?? '')).length,
  };
}

function change(path: string, kind: ChangeKind, before: unknown, after: unknown, items?: Change['items']): Change {
  const masked = [before, after].some((value) => value === MASK || value === MASK_CHANGED);
  return { path, kind, before, after, items, masked, bookkeeping: BOOKKEEPING.includes(path) };
}

/** A value in words; of a secret only whether there is one. */
export function valueText(value: unknown, path = ''): string {
  if (value === null || value === undefined) return 'none';
  if (value === MASK || value === MASK_CHANGED) return 'hidden';
  if (typeof value === 'boolean') {
    if (path.endsWith('_set')) return value ? 'set (hidden)' : 'not set';
    return value ? 'yes' : 'no';
  }
  if (typeof value === 'string') {
    if (value === '') return 'empty';
    return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value)) ? formatDateTime(value) : value;
  }
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'empty' : value.map((item) => valueText(item)).join(', ');
  return JSON.stringify(value);
}

export type Frame = 'none' | 'made' | 'removed' | 'changed' | 'details';

/** How the two states are to be read: as a change, as what came or went, or as a note beside something else. */
export function frameOf(action: string, before: unknown, after: unknown): Frame {
  if ((before ?? null) === null && (after ?? null) === null) return 'none';
  if ((before ?? null) === null) return /\.(created|made|requested|invited|joined)$/.test(action) ? 'made' : 'details';
  return (after ?? null) === null ? 'removed' : 'changed';
}
