import { api, unwrap } from '@/api/client';
import { currentOrganization } from '@/api/session';
import type { Socket } from './connection';

/** Open a WebSocket on `path` with a ticket of its own, so that no lasting secret is in an address. */
export async function openSocket(path: string, query: Record<string, string>): Promise<Socket> {
  const { ticket } = await unwrap(api.POST('/api/auth/ws-ticket', { body: { target: path } }));
  const url = new URL(path, window.location.origin);
  url.protocol = url.protocol.replace('http', 'ws');
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const organization = currentOrganization();
  if (organization) url.searchParams.set('org', organization);
  url.searchParams.set('ticket', ticket);
  return new WebSocket(url) as Socket;
}
