// Events as sentences.
import type { Event } from '@/api/types';
import { humanize } from './format';

const ALARMS = ['server.offline', 'server.locked', 'instance.failed', 'instance.unhealthy', 'job.failed'];

export function isAlarming(event: Event): boolean {
  return ALARMS.includes(event.type) || event.type.endsWith('.failed');
}

/** `instance.started` on "shop" → `Instance shop: started`. */
export function sentenceOf(event: Event): string {
  const [noun = '', ...rest] = event.type.split('.');
  const name = event.subject?.name;
  const what = rest.join(' ').replace(/_/g, ' ');
  return name ? `${humanize(noun)} ${name}: ${what}` : `${humanize(noun)}: ${what}`;
}

export function actorOf(event: Event): string | null {
  if (!event.actor || event.actor.type === 'system') return null;
  return event.actor.name;
}
