// What the API says and takes, by the names of its document, and the few shapes that it gives no name to.
import type { ConnectedAccounts, ListServer, paths } from './schema';

export * from './schema';

export type Page<T> = Omit<ListServer, 'data'> & { data: T[] };
export type ConnectedAccount = ConnectedAccounts['data'][number];
export type AuditFilter = Omit<
  NonNullable<paths['/api/admin/audit-logs']['get']['parameters']['query']>,
  'limit' | 'cursor'
>;

// A query that the document gives as any text.
export const PERIODS = ['1h', '6h', '24h', '7d', '30d'] as const;
export type Period = (typeof PERIODS)[number];
