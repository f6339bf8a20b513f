// What a webhook is told by, which events it can get, and how a receiver checks what comes.
import type { DeliveryStatus, EventTypeView, Subject, WebhookDelivery, WebhookEndpoint, WebhookEndpointCreate } from '@/api/types';
import { humanize } from '@/lib/format';
import type { State } from '@/lib/status';

export type WebhookValues = Required<WebhookEndpointCreate>;

export const ALL = '*';
/** Sent when somebody tries a webhook out; it cannot be chosen. */
const PING = 'webhook_endpoint.tested';

export function stateOfWebhook(hook: Pick<WebhookEndpoint, 'active' | 'disabled_reason' | 'failing_since'>): State {
  if (!hook.active) return hook.disabled_reason ? { label: 'Switched off', tone: 'bad' } : { label: 'Off', tone: 'idle' };
  return hook.failing_since ? { label: 'Failing', tone: 'warn' } : { label: 'Active', tone: 'good' };
}

export const deliveryState: Record<DeliveryStatus, State> = {
  pending: { label: 'On its way', tone: 'busy' },
  delivered: { label: 'Delivered', tone: 'good' },
  failed: { label: 'Failed', tone: 'bad' },
  cancelled: { label: 'Cancelled', tone: 'idle' },
};

export interface EventGroup {
  noun: string;
  label: string;
  types: EventTypeView[];
}

/** By what they are about, in the order of the catalogue; a search finds words of names and descriptions. */
export function groupsOf(types: EventTypeView[], search = ''): EventGroup[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, EventGroup>();
  for (const type of types) {
    const text = `${type.type} ${humanize(type.type)} ${type.description}`.toLowerCase();
    if (type.type === PING || !words.every((word) => text.includes(word))) continue;
    const noun = type.type.split('.')[0] ?? '';
    const group = groups.get(noun) ?? { noun, label: humanize(noun), types: [] };
    group.types.push(type);
    groups.set(noun, group);
  }
  return [...groups.values()];
}

/** `instance.started, server.offline and 3 more`; everything is said in words. */
export function eventsInWords(events: string[], shown = 2): string {
  if (events.includes(ALL)) return 'Everything';
  const named = events.slice(0, shown).join(', ');
  const more = events.length - shown;
  return more > 0 ? `${named} and ${more} more` : named;
}

export function urlProblem(text: string): string | null {
  try {
    const { protocol, username, hostname } = new URL(text.trim());
    if (protocol !== 'https:' && protocol !== 'http:') return 'The address begins with https://';
    if (username) return 'The address holds no name and no password';
    return hostname ? null : 'The address names no host';
  } catch {
    return 'A whole address, such as https://example.com/hook';
  }
}

/** The name of what the event is about; the payload is an event as its receiver gets it. */
export function nameIn(delivery: WebhookDelivery | undefined): string | undefined {
  return (delivery?.payload.subject as Subject | undefined)?.name;
}

export function eventsProblem(events: string[]): string | null {
  return events.length > 0 ? null : 'Choose at least one event';
}

export const LANGUAGES = ['Node.js', 'Python'] as const;
export type Language = (typeof LANGUAGES)[number];

/** A function for a receiver that says whether a request is ours; without any library. */
export const SNIPPETS: Record<Language, string> = {
  'Node.js': `import { createHmac, timingSafeEqual } from 'node:crypto';

// secret: "whsec_…"; headers: with names in lower case; body: the bytes as they came, not parsed and written anew.
export function isFromOcore(secret, headers, body) {
  const [id, time] = [headers['webhook-id'], headers['webhook-timestamp']];
  if (!(Math.abs(Date.now() / 1000 - Number(time)) < 300)) return false;
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const expected = createHmac('sha256', key).update(\`\${id}.\${time}.\`).update(body).digest();
  // Two of them for a day after the secret was rotated.
  return headers['webhook-signature'].split(' ').some((signature) => {
    const given = Buffer.from(signature.replace('v1,', ''), 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}`,
  Python: `import base64, hashlib, hmac, time

# secret: "whsec_…"; headers: with names in lower case; body: the bytes as they came, not parsed and written anew.
def is_from_ocore(secret: str, headers: dict[str, str], body: bytes) -> bool:
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    # Two of them for a day after the secret was rotated.
    return any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split(" "))`,
};
