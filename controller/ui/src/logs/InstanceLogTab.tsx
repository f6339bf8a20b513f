import { SegmentedControl, Stack } from '@mantine/core';
import { useState } from 'react';
import { InstanceLogs } from './InstanceLogs';
import { LogSearch } from './LogSearch';

/** An instance's log as it is written, or what was written before. */
export function InstanceLogTab({ instanceId }: { instanceId: string }) {
  const [view, setView] = useState('live');
  return (
    <Stack gap="sm">
      <SegmentedControl
        size="xs"
        aria-label="What of the log"
        style={{ alignSelf: 'flex-start' }}
        value={view}
        onChange={setView}
        data={[
          { value: 'live', label: 'Live' },
          { value: 'search', label: 'Search' },
        ]}
      />
      {view === 'live' ? <InstanceLogs instanceId={instanceId} /> : <LogSearch instanceId={instanceId} />}
    </Stack>
  );
}
