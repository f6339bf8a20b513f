import { Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconClock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { configHistoryQuery } from '@/api/configQueries';
import { jobsQuery } from '@/api/queries';
import type { ConfigRevision, Instance, InstanceConfig } from '@/api/types';
import { FormError } from '@/components/FormError';
import { JobLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { GoBack } from './GoBack';
import { lastInForce } from './revisions';
import { useConfigChange } from './useConfigChange';

export interface NotInForceProps {
  instance: Instance;
  config: InstanceConfig;
  editable: boolean;
}

/** What is saved is not what runs: why, and the two ways on. */
export function NotInForce({ instance, config, editable }: NotInForceProps) {
  const [goingBack, setGoingBack] = useState<ConfigRevision | null>(null);
  const isSetUp = instance.container_id != null;
  const updates = useQuery({ ...jobsQuery({ instance_id: instance.id, kind: 'instance_update', limit: 100 }), enabled: isSetUp });
  const history = useQuery({ ...configHistoryQuery(instance.id, { limit: 50 }), enabled: isSetUp });
  const again = useConfigChange(instance.id, config.version);
  if (!isSetUp) {
    return (
      <Notice tone="idle" icon={<IconClock size={18} />} title="Not in force yet" testId="not-in-force">
        The instance is not set up: what is saved here is used when it is.
      </Notice>
    );
  }
  const [last] = updates.data?.data ?? [];
  const before = lastInForce(history.data?.data ?? [], config.revision, updates.data?.data ?? []);
  return (
    <Notice
      tone="bad"
      icon={<IconAlertTriangle size={18} />}
      title={`Revision ${config.revision} is not in force`}
      role="status"
      testId="not-in-force"
    >
      <Text size="sm">
        {last?.failure ? (
          <>
            {last.failure.message} <JobLink id={last.id}>The job and its log</JobLink>
          </>
        ) : (
          'The server has not taken it over.'
        )}
      </Text>
      {editable && (
        <Group mt="xs" gap="xs">
          <Button size="xs" variant="default" loading={again.isPending} onClick={() => again.mutate({ save: {} })} data-testid="apply-again">
            Apply again
          </Button>
          {before && (
            <Button size="xs" variant="default" onClick={() => setGoingBack(before)} data-testid="go-back">
              Go back
            </Button>
          )}
        </Group>
      )}
      <FormError error={again.error} />
      <GoBack config={config} revision={goingBack} onClose={() => setGoingBack(null)} />
    </Notice>
  );
}
