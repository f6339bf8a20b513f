import { describe, expect, it } from 'vitest';
import { parseAnsi, plainText } from './ansi';
import { atLevel, LogBuffer, matchesOf, type NewLine } from './buffer';
import { cutAtRanges, findRanges } from './search';

const line = (n: number, extra: Partial<NewLine> = {}): NewLine => ({
  key: String(n),
  at: '2026-01-01T00:00:00Z',
  text: `line ${n}`,
  level: null,
  stream: 'stdout',
  dropped: null,
  ...extra,
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i));

describe('LogBuffer', () => {
  it('takes each line once, also when a reconnect repeats some', () => {
    const buffer = new LogBuffer();
    buffer.append(range(0, 10));
    expect(buffer.append(range(5, 12))).toBe(true);
    expect(buffer.append(range(5, 12))).toBe(false);
    expect(buffer.lines.map((l) => l.key)).toEqual(range(0, 12).map((l) => l.key));
    expect(buffer.appended).toBe(12);
  });
  it('puts history before, without counting it as new', () => {
    const buffer = new LogBuffer();
    buffer.append(range(10, 12));
    expect(buffer.prepend(range(5, 11), '10')).toBe('5');
    expect(buffer.lines.map((l) => l.key)).toEqual(['5', '6', '7', '8', '9', '10', '11']);
    expect(buffer.appended).toBe(2);
  });
  it('stays bounded and keeps the newest', () => {
    const buffer = new LogBuffer(100);
    for (let n = 0; n < 1000; n += 10) buffer.append(range(n, n + 10));
    expect(buffer.lines.length).toBeLessThanOrEqual(100);
    expect(buffer.lines[buffer.lines.length - 1]?.key).toBe('999');
    expect(buffer.cut + buffer.lines.length).toBe(1000);
  });
  it('is bounded in characters too', () => {
    const buffer = new LogBuffer(100, 1000);
    for (let n = 0; n < 20; n += 1) buffer.append([line(n, { text: 'x'.repeat(99) })]);
    expect(buffer.lines.map((l) => l.key)).toEqual(range(10, 20).map((l) => l.key));
    expect(buffer.cut).toBe(10);
    buffer.append([line(20, { text: 'x'.repeat(5000) })]);
    expect(buffer.lines.map((l) => l.key)).toEqual(['20']);
  });
  it('brings back what was cut, without a gap, and keeps it', () => {
    const buffer = new LogBuffer(100);
    buffer.append(range(0, 110));
    expect([buffer.lines[0]?.key, buffer.cut]).toEqual(['20', 20]);
    expect(buffer.prepend(range(5, 15), '15')).toBeNull();
    expect(buffer.prepend(range(5, 20), '20')).toBe('5');
    expect([buffer.lines.length, buffer.cut]).toEqual([105, 5]);
    buffer.append(range(110, 120));
    expect(buffer.lines[0]?.key).toBe('5');
    expect(buffer.prepend([], '5')).toBe('5');
  });
  it('takes nothing away from a paused reader, and takes no more in for one without end', () => {
    const buffer = new LogBuffer(100);
    buffer.append(range(0, 90));
    buffer.setPaused(true);
    expect(buffer.full).toBe(false);
    buffer.append(range(90, 130));
    expect([buffer.lines[0]?.key, buffer.full]).toEqual(['0', true]);
    expect(buffer.setPaused(false)).toBe(true);
    expect([buffer.lines.length, buffer.cut, buffer.full]).toEqual([90, 40, false]);
  });
});

describe('levels and search', () => {
  const lines = (() => {
    const buffer = new LogBuffer();
    buffer.append([
      line(1, { level: 'DEBUG' }),
      line(2, { level: 'ERROR', text: '\u001b[31mBoom\u001b[0m happened' }),
      line(3, { stream: 'mark', dropped: 7 }),
      line(4, { level: 'INFO' }),
    ]);
    return buffer.lines;
  })();
  it('keeps graver lines, and marks always', () => {
    expect(atLevel(lines, 'WARNING').map((l) => l.key)).toEqual(['2', '3']);
    expect(atLevel(lines, null)).toBe(lines);
  });
  it('searches what is seen, not the colour codes', () => {
    expect(matchesOf(lines, 'boom HAPP')).toEqual([1]);
    expect(matchesOf(lines, '[31m')).toEqual([]);
    expect(matchesOf(lines, '')).toEqual([]);
  });
  it('marks a match that runs over a change of colour', () => {
    const segments = parseAnsi('ab\u001b[1mcd\u001b[0mef');
    const pieces = cutAtRanges(segments, findRanges('abcdef', 'bcde'));
    expect(pieces.map((p) => [p.text, p.found])).toEqual([['a', false], ['b', true], ['cd', true], ['e', true], ['f', false]]);
    expect(pieces[2]?.style).toEqual({ bold: true });
  });
  it('finds every place', () => {
    expect(findRanges('aXaxA', 'a')).toEqual([[0, 1], [2, 3], [4, 5]]);
    const pieces = cutAtRanges([{ text: 'aXaxA', style: null }], findRanges('aXaxA', 'a'));
    expect(pieces.map((p) => p.text).join('')).toBe('aXaxA');
    expect(pieces.filter((p) => p.found)).toHaveLength(3);
  });
});

describe('parseAnsi', () => {
  it('knows the palettes and resets', () => {
    expect(parseAnsi('\u001b[1;31mx\u001b[38;5;196my\u001b[38;2;1;2;3;4mz\u001b[0m!')).toEqual([
      { text: 'x', style: { bold: true, fg: 1 } },
      { text: 'y', style: { bold: true, fg: '#ff0000' } },
      { text: 'z', style: { bold: true, fg: '#010203', underline: true } },
      { text: '!', style: null },
    ]);
  });
  it('leaves out what moves the cursor, sets titles or rings', () => {
    expect(plainText('\u001b]0;title\u0007a\u001b[2Kb\u001b[10;5Hc\u0007\r')).toBe('abc');
  });
  it('keeps markup as text', () => {
    expect(plainText('<img src=x onerror=alert(1)>')).toBe('<img src=x onerror=alert(1)>');
  });
});
