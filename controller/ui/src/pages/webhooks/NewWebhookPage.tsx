import { Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { WebhookEndpointCreated } from '@/api/types';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { SecretShown } from './SecretShown';
import { WebhookForm } from './WebhookForm';
import type { WebhookValues } from './webhooks';

const EMPTY: WebhookValues = { url: '', description: '', events: [], active: true };

export default function NewWebhookPage() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [made, setMade] = useState<WebhookEndpointCreated | null>(null);
  const create = useMutation({
    mutationFn: (body: WebhookValues) => unwrap(api.POST('/api/webhook-endpoints', { body })),
    meta: { showsError: true },
    onSuccess: (answer) => {
      void client.invalidateQueries({ queryKey: keys.webhooks });
      setMade(answer);
    },
  });
  const leave = () => void navigate({ to: '/webhooks/$id', params: { id: made?.id ?? '' } });
  return (
    <>
      <PageHeader
        title="New webhook"
        parent={<Link to="/webhooks">Webhooks</Link>}
        subtitle="An address that is told what happens, as it happens."
      />
      <div style={{ maxWidth: 860 }}>
        <Panel>
          <WebhookForm
            saved={EMPTY}
            action="Create webhook"
            busy={create.isPending}
            error={create.error}
            onSave={(values) => create.mutate(values)}
            onDiscard={() => void navigate({ to: '/webhooks' })}
          />
        </Panel>
      </div>
      <Modal
        opened={made !== null}
        onClose={leave}
        size="lg"
        title="Copy the secret now"
        closeOnClickOutside={false}
        closeOnEscape={false}
      >
        {made && <SecretShown made={made} onClose={leave} />}
      </Modal>
    </>
  );
}
