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
  /** The very first line of the log, once history has come to it. */
  const [first, setFirst] = useState<string | null>(null);
  const [loading, setLoading] = useState(false);
  const top = log.lines[0]?.key;

  const loadOlder = async () => {
    if (!top) return;
    setLoading(true);
    try {
      const page = await unwrap(
        api.GET('/api/instances/{id}/logs/history', {
          params: { path: { id: instanceId }, query: { before: top, limit: 500 } },
        }),
      );
      const now = log.prepend(page.lines.map(lineOf), top);
      if (!page.has_more) setFirst(now);
    } catch (error) {
      notifications.show({ color: 'red', title: 'Older lines could not be loaded', message: asApiError(error).message });
    } finally {
      setLoading(false);
    }
  };

  return (
    <LogViewer
      label="Log of the instance"
      log={log}
      height="max(320px, calc(100dvh - 260px))"
      levels
      older={{ hasMore: top !== undefined && top !== first, loading, load: () => void loadOlder() }}
      emptyText="Nothing has been written yet. Lines appear here as Odoo writes them."
    />
  );
}
