import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api, unwrap } from '@/api/client';
import type { WebhookEndpoint } from '@/api/types';
import { ErrorState, LoadingRows } from '@/components/States';
import { AttemptParts, AttemptResult } from './Attempt';

/** Sends a signed event at once and shows what comes back. */
export function TestDialog({ hook, opened, onClose }: { hook: WebhookEndpoint; opened: boolean; onClose: () => void }) {
  const test = useMutation({
    mutationFn: () => unwrap(api.POST('/api/webhook-endpoints/{id}/test', { params: { path: { id: hook.id } } })),
    meta: { showsError: true },
  });
  const { mutate, reset } = test;
  useEffect(() => {
    if (opened) mutate();
    else reset();
  }, [opened, mutate, reset]);
  return (
    <Modal opened={opened} onClose={onClose} size="lg" title="Send a test">
      <Stack>
        <Text size="sm" c="dimmed">
          A signed event <code>webhook_endpoint.tested</code>, sent once{hook.active ? '' : ', although the webhook is off'}. It
          is in no log and is not tried again.
        </Text>
        {test.isPending && <LoadingRows rows={3} />}
        {test.error && <ErrorState error={test.error} />}
        {test.data && (
          <>
            <AttemptResult attempt={test.data} />
            <AttemptParts attempt={{ ...test.data, problem: null }} />
          </>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" loading={test.isPending} onClick={() => mutate()}>
            Send another one
          </Button>
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
