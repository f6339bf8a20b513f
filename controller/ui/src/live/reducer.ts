// What a message of /api/events means for the cached data. Pure: the provider carries the effects out.
import type { Event, Job, MetricsSample, Progress } from '@/api/types';
import type { SseMessage } from './sse';

export type SubjectType =
  | 'server'
  | 'instance'
  | 'project'
  | 'environment'
  | 'job'
  | 'api_key'
  | 'organization'
  | 'member'
  | 'invitation'
  | 'role'
  | 'service_account'
  | 'registry'
  | 'backup_destination'
  | 'webhook_endpoint'
  | 'notice';

export type Effect =
  | { kind: 'refetch'; subject: SubjectType; id: string | null }
  | { kind: 'metrics'; serverId: string; sample: MetricsSample }
  | { kind: 'progress'; jobId: string; step: string; progress: Progress }
  | { kind: 'happened'; event: Event }
  | { kind: 'reset' };

const SUBJECTS: readonly string[] = [
  'server', 'instance', 'project', 'environment', 'job', 'api_key', 'organization', 'member', 'invitation', 'role',
  'service_account', 'registry', 'backup_destination', 'webhook_endpoint',
] satisfies SubjectType[];

export function effectsOf(message: SseMessage): Effect[] {
  if (message.event === 'reset') return [{ kind: 'reset' }];
  const data = parse(message.data);
  if (data === null) return [];
  switch (message.event) {
    case 'changed':
      return subjectEffects((data as { subject?: { type: string; id: string } }).subject);
    case 'metrics': {
      const { server_id, sample } = data as { server_id: string; sample: MetricsSample };
      return [{ kind: 'metrics', serverId: server_id, sample }];
    }
    case 'progress': {
      const { job_id, step, progress } = data as { job_id: string; step: string; progress: Progress };
      return [{ kind: 'progress', jobId: job_id, step, progress }];
    }
    default: {
      const event = data as Event;
      // A type without a point is a later invention of the controller: nothing to show.
      if (!event.id || !message.event.includes('.')) return [];
      // A notice is about something else and has no page of its own.
      const notices: Effect[] = event.type.startsWith('notice.') ? [{ kind: 'refetch', subject: 'notice', id: null }] : [];
      return [{ kind: 'happened', event }, ...notices, ...subjectEffects(event.subject)];
    }
  }
}

function subjectEffects(subject: { type: string; id: string | null } | null | undefined): Effect[] {
  if (!subject || !SUBJECTS.includes(subject.type)) return [];
  return [{ kind: 'refetch', subject: subject.type as SubjectType, id: subject.id }];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Put a live sample at the end of a series, and forget what has left its period. */
export function appendSample(series: MetricsSample[], sample: MetricsSample, periodMs: number): MetricsSample[] {
  const last = series[series.length - 1];
  if (last && last.at >= sample.at) return series;
  const oldest = Date.parse(sample.at) - periodMs;
  return [...series.filter((s) => Date.parse(s.at) >= oldest), sample];
}

/** Newest first, without doubles, at most `limit`. */
export function rememberEvent(events: Event[], event: Event, limit = 50): Event[] {
  if (events.some((e) => e.id === event.id)) return events;
  return [event, ...events].slice(0, limit);
}

export function withProgress(job: Job, step: string, progress: Progress): Job {
  return { ...job, steps: job.steps.map((s) => (s.name === step ? { ...s, progress } : s)) };
}
