// A new secret, and the end of a webhook.
import { Modal, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { WebhookEndpoint, WebhookEndpointCreated } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { SecretShown } from './SecretShown';

interface DialogProps {
  hook: WebhookEndpoint;
  opened: boolean;
  onClose: () => void;
}

function ifMatch({ version }: WebhookEndpoint) {
  return { 'If-Match': `"${version}"` };
}

export function RotateDialog({ hook, opened, onClose }: DialogProps) {
  const client = useQueryClient();
  const [made, setMade] = useState<WebhookEndpointCreated | null>(null);
  const rotate = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST('/api/webhook-endpoints/{id}/rotate-secret', { params: { path: { id: hook.id } }, headers: ifMatch(hook) }),
      ),
    meta: { showsError: true },
    onSuccess: setMade,
    onSettled: () => void client.invalidateQueries({ queryKey: keys.webhook(hook.id) }),
  });
  const close = () => {
    onClose();
    setMade(null);
    rotate.reset();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      size={made ? 'lg' : 'md'}
      title={made ? 'Copy the secret now' : 'A new secret'}
      closeOnClickOutside={!made}
      closeOnEscape={!made}
    >
      {made ? (
        <SecretShown made={made} onClose={close} />
      ) : (
        <Stack>
          <Text size="sm">
            For 24 hours every request carries two signatures, of the new secret and of the present one. Give the receiver the
            new one within that time, and nothing is refused.
          </Text>
          <FormError error={rotate.error} />
          <FormButtons onCancel={close} loading={rotate.isPending} onClick={() => rotate.mutate()} data-testid="confirm-rotate">
            Make a new secret
          </FormButtons>
        </Stack>
      )}
    </Modal>
  );
}

export function DeleteDialog({ hook, opened, onClose }: DialogProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () =>
      unwrap(api.DELETE('/api/webhook-endpoints/{id}', { params: { path: { id: hook.id } }, headers: ifMatch(hook) })),
    meta: { showsError: true },
    onSuccess: async () => {
      notifications.show({ message: 'The webhook is deleted' });
      await navigate({ to: '/webhooks' });
      client.removeQueries({ queryKey: keys.webhook(hook.id) });
      void client.invalidateQueries({ queryKey: keys.webhooks });
    },
    onError: () => void client.invalidateQueries({ queryKey: keys.webhook(hook.id) }),
  });
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title="Delete the webhook"
      action="Delete"
      keep="Keep it"
      run={remove}
      onConfirm={() => remove.mutate()}
    >
      Nothing is sent to <b style={{ overflowWrap: 'anywhere' }}>{hook.url}</b> any more. Its secret and the log of its deliveries
      are lost. To stop it for a while, switch it off.
    </Confirm>
  );
}
