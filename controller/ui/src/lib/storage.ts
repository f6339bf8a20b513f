// Browser storage that may be forbidden or full: reading then gives nothing and writing does nothing.

type Area = () => Storage;

/** The storage of this tab alone. */
export const ofTab: Area = () => sessionStorage;

/** What a tab remembers of one person: the next one who signs in at it must not see it. */
export const EVENTS = 'ocore.events.';
export const TERMINAL = 'ocore.terminal.';

export function readStored(key: string, area: Area = () => localStorage): string | null {
  try {
    return area().getItem(key);
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: string | null, area: Area = () => localStorage): void {
  try {
    if (value === null) area().removeItem(key);
    else area().setItem(key, value);
  } catch {
    // Nothing depends on it being kept.
  }
}

/** Called when somebody has signed out. */
export function forgetPerson(): void {
  try {
    const area = ofTab();
    const keys = Array.from({ length: area.length }, (_, index) => area.key(index) ?? '');
    for (const key of keys) if (key.startsWith(EVENTS) || key.startsWith(TERMINAL)) area.removeItem(key);
  } catch {
    // Without storage there is nothing to forget.
  }
}
