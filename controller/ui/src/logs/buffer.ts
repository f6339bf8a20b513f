// The lines of a log in memory: appended live, prepended from history, never doubled, and bounded.
import { plainText } from './ansi';

export type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';
export const LEVELS: Level[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];

export interface LogLine {
  /** Cursor or sequence number: the same line never comes in twice. */
  key: string;
  at: string;
  /** As it came, with its colours. */
  text: string;
  plain: string;
  level: string | null;
  /** `stdout`, `stderr`, `mark`, or the step of a job. */
  stream: string;
  dropped: number | null;
}

export type NewLine = Omit<LogLine, 'plain'>;

export class LogBuffer {
  lines: readonly LogLine[] = [];
  /** Counts lines ever appended: what a paused reader has not seen is a difference of two values. */
  appended = 0;
  private known = new Set<string>();

  constructor(private readonly limit = 50_000) {}

  append(incoming: NewLine[]): boolean {
    const added = this.take(incoming);
    if (added.length === 0) return false;
    this.appended += added.length;
    let lines = [...this.lines, ...added];
    if (lines.length > this.limit) {
      // A tenth at once: trimming each line would copy everything each time.
      const cut = lines.length - Math.floor(this.limit * 0.9);
      for (const line of lines.slice(0, cut)) this.known.delete(line.key);
      lines = lines.slice(cut);
    }
    this.lines = lines;
    return true;
  }

  prepend(older: NewLine[]): boolean {
    const added = this.take(older);
    if (added.length === 0) return false;
    this.lines = [...added, ...this.lines];
    return true;
  }

  clear(): void {
    this.lines = [];
    this.known.clear();
    this.appended = 0;
  }

  private take(lines: NewLine[]): LogLine[] {
    const fresh: LogLine[] = [];
    for (const line of lines) {
      if (this.known.has(line.key)) continue;
      this.known.add(line.key);
      fresh.push({ ...line, plain: plainText(line.text) });
    }
    return fresh;
  }
}

/** Lines at least as grave as `level`; marks and lines without a level are always shown. */
export function atLevel(lines: readonly LogLine[], level: Level | null): readonly LogLine[] {
  if (level === null) return lines;
  const least = LEVELS.indexOf(level);
  return lines.filter((line) => {
    const level = LEVELS.indexOf(line.level as Level);
    return level < 0 || level >= least;
  });
}

/** Positions of the lines that hold the text. */
export function matchesOf(lines: readonly LogLine[], query: string): number[] {
  if (query === '') return [];
  const needle = query.toLowerCase();
  const found: number[] = [];
  lines.forEach((line, index) => {
    if (line.plain.toLowerCase().includes(needle)) found.push(index);
  });
  return found;
}
