// Events as sentences.
import type { Event } from '@/api/types';
import { humanize } from './format';

const ALARMS = ['server.offline', 'instance.error'];

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

/** Why it happened: of what was observed a reason, of a job its failure. */
export function messageOf({ data }: Event): string | null {
  const failure = data.failure as { message?: unknown } | null | undefined;
  const text = data.message ?? data.reason ?? failure?.message;
  return typeof text === 'string' ? text : null;
}

/** The job or the object that it comes from: a job that fails is told of itself and of its instance. */
export function causeOf(event: Event): string {
  return typeof event.data.job_id === 'string' ? event.data.job_id : (event.subject?.id ?? event.id);
}

export function actorOf(event: Event): string | null {
  if (!event.actor || event.actor.type === 'system') return null;
  return event.actor.name;
}
