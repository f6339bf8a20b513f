/** The muted kinds once this one is mailed, or not. */
export function toggled<K>(muted: K[], kind: K, mailed: boolean): K[] {
  const others = muted.filter((one) => one !== kind);
  return mailed ? others : [...others, kind];
}
