import { useQueryClient } from '@tanstack/react-query';
import { keys } from '@/api/queries';
import { currentOrganization } from '@/api/session';
import type { JobLogLine } from '@/api/types';
import { LogViewer } from './LogViewer';
import { useLogStream } from './useLogStream';

/** The log of a job from its first line; ends with the job. */
export function JobLog({ jobId, height = 320 }: { jobId: string; height?: number | string }) {
  const client = useQueryClient();
  const log = useLogStream(jobId, {
    url: () => {
      const organization = currentOrganization();
      return `/api/jobs/${jobId}/logs${organization ? `?${new URLSearchParams({ org: organization })}` : ''}`;
    },
    toLine: (message) => {
      if (message.event !== 'log') return null;
      const line = JSON.parse(message.data) as JobLogLine;
      return { key: String(line.seq), at: line.at, text: line.text, level: null, stream: line.step ?? '', dropped: null };
    },
    endEvent: 'end',
    onEnd: () => void client.invalidateQueries({ queryKey: keys.job(jobId) }),
  });
  return (
    <LogViewer
      label="Log of the job"
      log={log}
      height={height}
      sources
      emptyText={log.state.kind === 'ended' ? 'This job wrote no log.' : 'No line yet.'}
    />
  );
}
