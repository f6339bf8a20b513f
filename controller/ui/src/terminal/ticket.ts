import { api, unwrap } from '@/api/client';
import { errorFromResponse } from '@/api/errors';
import { authorizedFetch, currentOrganization } from '@/api/session';
import type { Socket } from './connection';

const ASK_TIMEOUT_MS = 15_000;

/** Throws what `path` answers without a handshake: 400 where only that is missing. */
export async function askPlainly(path: string): Promise<void> {
  const url = new URL(path, window.location.origin);
  const response = await authorizedFetch(new Request(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) }));
  if (!response.ok) throw await errorFromResponse(response);
}

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
