import { Radio, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { MaintenanceAction } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { useStale } from '../useStale';
import { ACTIONS } from './database';

/** Cleaning of tables, all or one, as a job. */
export function MaintenanceDialog({ instanceId, onClose }: { instanceId: string; onClose: () => void }) {
  const [action, setAction] = useState<MaintenanceAction>('vacuum');
  const [table, setTable] = useState('');
  const maintain = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST('/api/instances/{id}/database/maintenance', {
          params: { path: { id: instanceId } },
          body: { action, table: table.trim() || null },
        }),
      ),
    meta: { showsError: true },
    onSuccess: () => {
      onClose();
      window.scrollTo({ top: 0 });
    },
    onSettled: useStale(instanceId),
  });
  return (
    <Confirm
      opened
      title="Maintain the database"
      action={ACTIONS[action].label}
      size="lg"
      harmless={!ACTIONS[action].blocks}
      run={maintain}
      onClose={onClose}
      onConfirm={() => maintain.mutate()}
    >
      <Stack gap="md">
        <Radio.Group aria-label="What is done" value={action} onChange={(value) => setAction(value as MaintenanceAction)}>
          <Stack gap="sm">
            {(Object.keys(ACTIONS) as MaintenanceAction[]).map((value) => (
              <Radio key={value} value={value} label={ACTIONS[value].label} description={ACTIONS[value].about} />
            ))}
          </Stack>
        </Radio.Group>
        <TextInput
          label="Table"
          description="Empty: all of them."
          placeholder="mail_message"
          autoComplete="off"
          spellCheck={false}
          value={table}
          onChange={(event) => setTable(event.currentTarget.value)}
          data-testid="maintain-table"
        />
      </Stack>
    </Confirm>
  );
}
