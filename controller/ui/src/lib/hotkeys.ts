// Single keys and two-key sequences, as in `g s`.

export const SHORTCUTS = [
  { keys: 'g d', label: 'Go to the dashboard' },
  { keys: 'g s', label: 'Go to servers' },
  { keys: 'g p', label: 'Go to projects' },
  { keys: 'g i', label: 'Go to instances' },
  { keys: 'g j', label: 'Go to jobs' },
  { keys: 'g m', label: 'Go to members' },
  { keys: 'g k', label: 'Go to API keys' },
  { keys: 'g r', label: 'Go to registries' },
  { keys: 'g b', label: 'Go to backups' },
  { keys: 'g o', label: 'Go to backup destinations' },
  { keys: 'g w', label: 'Go to webhooks' },
  { keys: 'g a', label: 'Go to the audit log' },
  { keys: '/', label: 'Search in the list' },
  { keys: 'n', label: 'New: server, project, environment, instance, member, role, key, registry, backup, destination or webhook, by page' },
  { keys: '?', label: 'Show these shortcuts' },
] as const;

export type Shortcut = (typeof SHORTCUTS)[number]['keys'];

const SEQUENCE_MS = 1200;

/** Feed it keys; it says which shortcut they complete. */
export class KeySequence {
  private first: { key: string; at: number } | null = null;

  press(key: string, at: number): Shortcut | null {
    const first = this.first && at - this.first.at <= SEQUENCE_MS ? this.first.key : null;
    this.first = null;
    const pair = SHORTCUTS.find((s) => first !== null && s.keys === `${first} ${key}`);
    if (pair) return pair.keys;
    if (SHORTCUTS.some((s) => s.keys.startsWith(`${key} `))) {
      this.first = { key, at };
      return null;
    }
    return SHORTCUTS.find((s) => s.keys === key)?.keys ?? null;
  }
}

/** Whether keys belong to what has the focus and not to the page. */
export function takesKeys(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest('input, textarea, select, [role="dialog"], [role="menu"]') !== null;
}
