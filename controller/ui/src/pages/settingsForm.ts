// Forms of what other people may change meanwhile: they send what was touched and nothing else, and do not write over
// what they have not shown.
import type { UseFormReturnType } from '@mantine/form';
import { useEffect, useState } from 'react';

/** The fields of a patch that were touched. */
export function touchedOf<P extends object>(patch: P, isTouched: (field: string) => boolean): Partial<P> {
  return Object.fromEntries(Object.entries(patch).filter(([field]) => isTouched(field))) as Partial<P>;
}

/** The version for `If-Match`: the one that is shown, or a newer one that changed nothing of it. */
export function versionShown<T extends { version: number }>(shown: T, now: T, valuesOf: (object: T) => object): number {
  return JSON.stringify(valuesOf(shown)) === JSON.stringify(valuesOf(now)) ? now.version : shown.version;
}

/** Which state of an object a form shows. An untouched form follows the object. */
export function useShown<T extends { version: number }, V extends object>(
  form: UseFormReturnType<V>,
  now: T,
  valuesOf: (object: T) => V,
) {
  const [shown, setShown] = useState(now);
  const show = (fresh: T) => {
    const values = valuesOf(fresh);
    form.setValues(touchedOf(values, (field) => !form.isDirty(field)));
    form.resetDirty(values);
    setShown(fresh);
  };
  const settings = JSON.stringify(valuesOf(now));
  useEffect(() => {
    if (!form.isDirty()) show(now);
    // Only other settings are a reason, not every figure of the object.
  }, [settings]);
  /** `show` takes a newer state over and leaves what was touched as it was typed. */
  return { version: versionShown(shown, now, valuesOf), show };
}
