import { Stack } from '@mantine/core';
import type { ConfigRevision, InstanceConfig } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { formatDateTime } from '@/lib/format';
import { useConfigChange } from './useConfigChange';

/** Asks before everything is set as it was at a revision; none: nothing is asked. */
export function GoBack({ config, revision, onClose }: { config: InstanceConfig; revision: ConfigRevision | null; onClose: () => void }) {
  const back = useConfigChange(config.instance_id, config.version, onClose);
  return (
    <Confirm
      opened={revision !== null}
      onClose={onClose}
      title={`Go back to revision ${revision?.revision ?? ''}`}
      action="Go back"
      harmless
      run={back}
      onConfirm={() => revision && back.mutate({ back: { revision: revision.revision } })}
    >
      <Stack gap="xs">
        <div>
          Everything is set as it was on {formatDateTime(revision?.created_at)}, the mail password included. What was changed since then is
          undone, and stays in the history.
        </div>
        <div>It is tried beside the running Odoo first, as every change is.</div>
      </Stack>
    </Confirm>
  );
}
