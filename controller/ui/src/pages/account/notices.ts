/** The muted kinds once this one is mailed, or not. */
export function toggled(muted: string[], kind: string, mailed: boolean): string[] {
  const others = muted.filter((one) => one !== kind);
  return mailed ? others : [...others, kind];
}
