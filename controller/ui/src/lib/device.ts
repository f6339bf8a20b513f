// What a browser says of itself, in a few words.

const BROWSERS: [mark: string, name: string][] = [
  // Who pretends to be others comes first.
  ['Edg', 'Edge'],
  ['OPR/', 'Opera'],
  ['SamsungBrowser/', 'Samsung Internet'],
  ['Firefox/', 'Firefox'],
  ['FxiOS/', 'Firefox'],
  ['CriOS/', 'Chrome'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
];
const SYSTEMS: [mark: string, name: string][] = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'macOS'],
  ['CrOS', 'ChromeOS'],
  ['Linux', 'Linux'],
];

/** `Firefox on Linux`; a name to begin with. */
export function deviceOf(userAgent: string): string {
  const find = (known: [string, string][]) => known.find(([mark]) => userAgent.includes(mark))?.[1];
  const browser = find(BROWSERS);
  const system = find(SYSTEMS);
  return browser && system ? `${browser} on ${system}` : (browser ?? system ?? 'This device');
}

/** Whether it is one that is held in the hand. */
export function isPhone(userAgent: string): boolean {
  return /Android|iPhone|Mobile/.test(userAgent);
}
