import { Group, Text } from '@mantine/core';
import type { Event } from '@/api/types';
import { actorOf, isAlarming, messageOf, sentenceOf } from '@/lib/events';
import { SubjectLink } from './Links';
import { Dot } from './StatusBadge';
import { TimeAgo } from './Time';

/** Events, newest first. */
export function EventList({ events, subjects }: { events: Event[]; subjects?: boolean }) {
  return (
    <ul style={{ listStyle: 'none', margin: 0, padding: 0 }} aria-label="Events">
      {events.map((event) => (
        <li key={event.id} data-testid="event-row" style={{ padding: '9px 16px', borderTop: '1px solid var(--oc-border)' }}>
          <Group justify="space-between" wrap="nowrap" gap="md">
            <Group gap={10} wrap="nowrap" style={{ minWidth: 0 }}>
              <Dot tone={isAlarming(event) ? 'bad' : 'idle'} />
              <div style={{ minWidth: 0 }}>
                <Text size="sm">{sentenceOf(event)}</Text>
                <EventDetail event={event} subjects={subjects ?? false} />
              </div>
            </Group>
            <Text size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
              <TimeAgo at={event.created_at} />
            </Text>
          </Group>
        </li>
      ))}
    </ul>
  );
}

function EventDetail({ event, subjects }: { event: Event; subjects: boolean }) {
  const actor = actorOf(event);
  const message = messageOf(event);
  if (!actor && !message && !subjects) return null;
  return (
    <Text size="xs" c="dimmed">
      {message}
      {message && actor && ' · '}
      {actor && `by ${actor}`}
      {subjects && event.subject?.id && (
        <>
          {(message || actor) && ' · '}
          <SubjectLink subject={event.subject} />
        </>
      )}
    </Text>
  );
}
