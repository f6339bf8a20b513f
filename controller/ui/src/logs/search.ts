// Search in log lines: where a text occurs, and how a line is cut so that the found parts can be marked.
import type { Segment } from './ansi';

export type Range = readonly [start: number, end: number];

export interface Piece extends Segment {
  found: boolean;
}

export function findRanges(text: string, query: string): Range[] {
  if (query === '') return [];
  const haystack = text.toLowerCase();
  const needle = query.toLowerCase();
  // Lower case of a few letters is longer than they are: positions would be wrong, so compare as written.
  const [where, what] = haystack.length === text.length ? [haystack, needle] : [text, query];
  const ranges: Range[] = [];
  for (let at = where.indexOf(what); at >= 0; at = where.indexOf(what, at + what.length)) {
    ranges.push([at, at + what.length]);
  }
  return ranges;
}

export function cutAtRanges(segments: Segment[], ranges: Range[]): Piece[] {
  if (ranges.length === 0) return segments.map((segment) => ({ ...segment, found: false }));
  const pieces: Piece[] = [];
  let offset = 0;
  let next = 0;
  for (const { text, style } of segments) {
    let at = 0;
    while (at < text.length) {
      const range = ranges[next];
      const start = range ? Math.max(range[0] - offset, 0) : Infinity;
      if (!range || start >= text.length) {
        pieces.push({ text: text.slice(at), style, found: false });
        break;
      }
      if (start > at) pieces.push({ text: text.slice(at, start), style, found: false });
      const end = Math.min(range[1] - offset, text.length);
      pieces.push({ text: text.slice(Math.max(start, at), end), style, found: true });
      at = end;
      if (range[1] - offset <= text.length) next += 1;
    }
    offset += text.length;
  }
  return pieces;
}
