// One delivery: what was sent, every attempt, and sending it again.
import { Anchor, Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArrowsShuffle, IconRefresh } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import { deliveryQuery } from '@/api/signalsQueries';
import type { WebhookDelivery, WebhookEndpoint } from '@/api/types';
import { CodeBox } from '@/components/Code';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { FactList } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { Due } from '@/components/Time';
import { formatDateTime } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { useSession } from '@/shell/session';
import { AttemptDetail, Part } from './Attempt';
import { OUT_OF_ORDER } from './Deliveries';
import { deliveryState, nameIn } from './webhooks';

export interface DeliveryDrawerProps {
  id: string | null;
  hook: WebhookEndpoint;
  onClose: () => void;
  onOther: (id: string) => void;
  onSubject: (id: string) => void;
}

export function DeliveryDrawer({ id, hook, onClose, onOther, onSubject }: DeliveryDrawerProps) {
  const delivery = useQuery({ ...deliveryQuery(id ?? ''), enabled: id !== null });
  return (
    <Drawer
      opened={id !== null}
      onClose={onClose}
      title={delivery.data?.event_type ?? 'Delivery'}
    >
      <Loaded query={delivery}>
        {(data) => (
          <Body key={data.id} delivery={data} hook={hook} onOther={onOther} onSubject={onSubject} />
        )}
      </Loaded>
    </Drawer>
  );
}

type BodyProps = Omit<DeliveryDrawerProps, 'id' | 'onClose'> & { delivery: WebhookDelivery };

function Body({ delivery, hook, onOther, onSubject }: BodyProps) {
  const older = delivery.attempt_count - delivery.attempts.length;
  const { replay_of } = delivery;
  return (
    <Stack gap="md" data-testid="delivery">
      <FactList
        facts={[
          ['State', <StatusBadge key="state" state={stateOf(deliveryState, delivery.status)} />],
          [
            'About',
            <Group key="about" gap="xs">
              {nameIn(delivery) ?? delivery.subject_id}
              <Anchor component="button" size="xs" onClick={() => onSubject(delivery.subject_id)}>
                All about it
              </Anchor>
            </Group>,
          ],
          ['Created', formatDateTime(delivery.created_at)],
          delivery.next_attempt_at
            ? ['Next attempt', <Due key="next" at={delivery.next_attempt_at} />]
            : ['Ended', formatDateTime(delivery.finished_at)],
          ['webhook-id', <Text key="id" size="sm" ff="monospace" fz={12.5}>{delivery.event_id}</Text>],
          ...(replay_of ? [firstOne(replay_of, onOther)] : []),
        ]}
      />
      {delivery.out_of_order && (
        <Notice tone="warn" icon={<IconArrowsShuffle size={18} />} title="Out of order">
          {OUT_OF_ORDER}
        </Notice>
      )}
      <Replay delivery={delivery} hook={hook} onOther={onOther} />
      <Part title="Attempts" aside={older > 0 ? `the newest ${delivery.attempts.length} of ${delivery.attempt_count}` : undefined}>
        {delivery.attempts.length === 0 ? (
          <Text size="sm" c="dimmed">
            None yet. It waits its turn; events of one subject come in order.
          </Text>
        ) : (
          <Stack gap="xs">
            {delivery.attempts.map((attempt, index) => (
              <AttemptDetail key={attempt.number} attempt={attempt} opened={index === 0} />
            ))}
          </Stack>
        )}
      </Part>
      <Part title="Body of the request" aside="laid out for reading; each attempt sends the same bytes">
        <CodeBox text={JSON.stringify(delivery.payload, null, 2)} label="body of the request" testId="delivery-body" />
      </Part>
    </Stack>
  );
}

function firstOne(id: string, onOther: (id: string) => void): [string, ReactNode] {
  return [
    'Sent again',
    <Anchor key="replay" component="button" size="sm" onClick={() => onOther(id)}>
      the first delivery
    </Anchor>,
  ];
}

function Replay({ delivery, hook, onOther }: { delivery: WebhookDelivery; hook: WebhookEndpoint; onOther: (id: string) => void }) {
  const client = useQueryClient();
  const { can } = useSession();
  const replay = useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/webhook-deliveries/{delivery_id}/replay', { params: { path: { delivery_id: delivery.id } } })),
    meta: { showsError: true },
    onSuccess: ({ id }) => {
      notifications.show({ message: 'It is sent again' });
      onOther(id);
    },
    onSettled: () => void client.invalidateQueries({ queryKey: keys.deliveries }),
  });
  if (!can('manage:webhooks') || delivery.status === 'pending') return null;
  return (
    <div>
      <Group gap="xs">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={15} />}
          loading={replay.isPending}
          disabled={!hook.active}
          onClick={() => replay.mutate()}
          data-testid="replay"
        >
          Send again
        </Button>
        <Text size="xs" c="dimmed">
          {hook.active ? 'The same bytes with the same webhook-id, as a delivery of its own.' : 'The webhook is off; switch it on first.'}
        </Text>
      </Group>
      <FormError error={replay.error} />
    </div>
  );
}
