// What a search of an instance's log finds: entries, each a line in Odoo's format with the lines that go on with it.
import type { LogRecord } from '@/api/types';

export interface LogFilter {
  q: string;
  level: string;
  logger: string;
}

export interface Entry {
  key: string;
  at: string;
  level: string | null;
  logger: string | null;
  /** The message alone, without what is told beside it. */
  text: string;
  /** A traceback, for example. */
  rest: string[];
}

/** Lines of one page and of those before it make whole entries, the oldest first. */
export function entriesOf(lines: LogRecord[]): Entry[] {
  const entries: Entry[] = [];
  for (const line of lines) {
    const last = entries[entries.length - 1];
    if (!line.head && last && line.stream !== 'mark') last.rest.push(line.text);
    else entries.push(entryOf(line));
  }
  return entries;
}

function entryOf({ cursor, at, level, head, text }: LogRecord): Entry {
  return {
    key: cursor,
    at,
    level: level ?? null,
    logger: head?.logger ?? null,
    text: head ? text.slice(head.message_at) : text,
    rest: [],
  };
}

/** As the API takes it: without what is empty. */
export function filterQuery({ q, level, logger }: LogFilter): Partial<LogFilter> {
  const given = { q: q.trim(), level, logger: logger.trim() };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}

/** The address of a download. It sends no header, so the organization is named in it. */
export function downloadUrl(instanceId: string, filter: LogFilter, format: 'text' | 'gzip', organization: string): string {
  const query = new URLSearchParams({ ...filterQuery(filter), format, org: organization });
  return `/api/instances/${instanceId}/logs/download?${query}`;
}
