import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { currentOrganization } from '@/api/session';
import type { LogRecord } from '@/api/types';
import type { NewLine } from './buffer';
import { LogViewer } from './LogViewer';
import { useLogStream } from './useLogStream';

function lineOf(record: LogRecord): NewLine {
  return {
    key: record.cursor,
    at: record.at,
    text: record.text,
    level: record.level ?? null,
    stream: record.stream,
    dropped: record.dropped ?? null,
  };
}

/** The log of an instance's Odoo container, live, with its past on request. */
export function InstanceLogs({ instanceId }: { instanceId: string }) {
  const log = useLogStream(instanceId, {
    url: (after) => {
      const query = new URLSearchParams({ follow: '1' });
      const organization = currentOrganization();
      if (organization) query.set('org', organization);
      if (after) query.set('after', after);
      else query.set('tail', '500');
      return `/api/instances/${instanceId}/logs?${query}`;
    },
    toLine: (message) => (message.event === 'log' ? lineOf(JSON.parse(message.data) as LogRecord) : null),
    endEvent: 'end',
  });
  const [previous, setPrevious] = useState<{ cursor: string | null; hasMore: boolean } | null>(null);
  const [loading, setLoading] = useState(false);

  const loadOlder = async () => {
    const before = previous ? previous.cursor : log.lines[0]?.key;
    if (!before) return;
    setLoading(true);
    try {
      const page = await unwrap(
        api.GET('/api/instances/{id}/logs/history', { params: { path: { id: instanceId }, query: { before, limit: 500 } } }),
      );
      log.prepend(page.lines.map(lineOf));
      setPrevious({ cursor: page.previous_cursor, hasMore: page.has_more });
    } catch (error) {
      notifications.show({ color: 'red', title: 'Older lines could not be loaded', message: asApiError(error).message });
    } finally {
      setLoading(false);
    }
  };

  return (
    <LogViewer
      label="Log of the instance"
      lines={log.lines}
      appended={log.appended}
      state={log.state}
      height="max(320px, calc(100dvh - 260px))"
      levels
      older={{ hasMore: previous?.hasMore ?? log.lines.length > 0, loading, load: () => void loadOlder() }}
      emptyText="Nothing has been written yet. Lines appear here as Odoo writes them."
    />
  );
}
