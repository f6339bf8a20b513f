import { describe, expect, it } from 'vitest';
import type { LogRecord } from '@/api/types';
import { downloadUrl, entriesOf, filterQuery } from './entries';

const line = (text: string, message_at?: number): LogRecord => ({
  cursor: text, at: '2026-03-01T10:00:00Z', stream: 'stderr', text, level: 'ERROR',
  head: message_at === undefined ? null : { written_at: '2026-03-01 09:59:59,120', pid: 7, database: 'shop', logger: 'odoo.http', message_at },
});

describe('what a search finds', () => {
  it('has a traceback with the line that it belongs to', () => {
    const entries = entriesOf([line('1 ERROR Exception', 8), line('Traceback:'), line('ValueError'), line('2 ERROR again', 8)]);
    expect(entries.map(({ text, rest }) => [text, rest])).toEqual([['Exception', ['Traceback:', 'ValueError']], ['again', []]]);
    expect(entries[0]).toMatchObject({ logger: 'odoo.http', at: '2026-03-01T10:00:00Z' });
  });

  it('begins with a line that nothing goes before', () => {
    expect(entriesOf([line('cut off'), line('1 ERROR x', 8)]).map(({ text }) => text)).toEqual(['cut off', 'x']);
  });

  it('is asked for without what is empty', () => {
    const filter = { q: ' deadlock ', level: '', logger: 'odoo.sql_db' };
    expect(filterQuery(filter)).toEqual({ q: 'deadlock', logger: 'odoo.sql_db' });
    expect(downloadUrl('i', filter, 'gzip', 'acme')).toBe('/api/instances/i/logs/download?q=deadlock&logger=odoo.sql_db&format=gzip&org=acme');
  });
});
