// Browser storage that may be forbidden or full: reading then gives nothing and writing does nothing.

export function readStored(key: string, area: () => Storage = () => localStorage): string | null {
  try {
    return area().getItem(key);
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: string | null, area: () => Storage = () => localStorage): void {
  try {
    if (value === null) area().removeItem(key);
    else area().setItem(key, value);
  } catch {
    // Nothing depends on it being kept.
  }
}
