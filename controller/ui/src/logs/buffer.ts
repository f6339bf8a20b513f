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

/** What of a log is shown now. */
export interface LogView {
  lines: readonly LogLine[];
  /** Counts lines ever appended: what a paused reader has not seen is a difference of two values. */
  appended: number;
  /** Lines before the first one that were here and had to go. */
  cut: number;
}

export class LogBuffer implements LogView {
  lines: readonly LogLine[] = [];
  appended = 0;
  cut = 0;
  private characters = 0;
  private paused = false;
  private known = new Set<string>();

  constructor(
    private mostLines = 50_000,
    private readonly mostCharacters = 64 * 1024 * 1024,
  ) {}

  append(incoming: NewLine[]): boolean {
    const added = this.take(incoming);
    if (added.length === 0) return false;
    this.appended += added.length;
    this.lines = [...this.lines, ...added];
    if (!this.paused) this.trim();
    return true;
  }

  /**
   * Put lines before the first one, with which they were asked for. Gives the key of the first one then; null when the
   * one asked with has been cut meanwhile, so that there would be a gap.
   */
  prepend(older: NewLine[], before: string): string | null {
    if (this.lines[0]?.key !== before) return null;
    const added = this.take(older);
    this.lines = [...added, ...this.lines];
    // What was asked for is not cut again at once.
    this.mostLines += added.length;
    this.cut = Math.max(0, this.cut - added.length);
    return this.lines[0]?.key ?? null;
  }

  /** While somebody reads further up nothing is cut, or their place would vanish. True: now something was. */
  setPaused(paused: boolean): boolean {
    this.paused = paused;
    return !paused && this.trim();
  }

  /** Nothing more should come until the reader goes on. */
  get full(): boolean {
    return this.paused && (this.lines.length >= this.mostLines || this.characters >= this.mostCharacters);
  }

  private trim(): boolean {
    if (this.lines.length <= this.mostLines && this.characters <= this.mostCharacters) return false;
    // A tenth at once: trimming each line would copy everything each time.
    const atLeast = this.lines.length - Math.floor(this.mostLines * 0.9);
    let gone = 0;
    for (const line of this.lines.slice(0, -1)) {
      if (gone >= atLeast && this.characters <= this.mostCharacters * 0.9) break;
      this.known.delete(line.key);
      this.characters -= line.text.length;
      gone += 1;
    }
    this.lines = this.lines.slice(gone);
    this.cut += gone;
    return true;
  }

  private take(lines: NewLine[]): LogLine[] {
    const fresh: LogLine[] = [];
    for (const line of lines) {
      if (this.known.has(line.key)) continue;
      this.known.add(line.key);
      this.characters += line.text.length;
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
