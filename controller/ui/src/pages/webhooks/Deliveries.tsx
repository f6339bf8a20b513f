import { Badge, Group, Select, Table, Text, Tooltip } from '@mantine/core';
import { IconSearchOff, IconSend } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { deliveriesQuery, eventTypesQuery } from '@/api/signalsQueries';
import { deliveryStatusValues, type DeliveryStatus, type WebhookDelivery, type WebhookEndpoint } from '@/api/types';
import { RowButton } from '@/components/RowButton';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { FilterPill } from '@/components/FilterPill';
import { PagedList } from '@/components/PagedList';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { Due, TimeAgo } from '@/components/Time';
import { formatDuration } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { DeliveryDrawer } from './DeliveryDrawer';
import { deliveryState, nameIn } from './webhooks';

export function Deliveries({ hook }: { hook: WebhookEndpoint }) {
  const search = useSearch({ from: '/app/webhooks/$id' });
  const navigate = useNavigate({ from: '/webhooks/$id' });
  const status = search.status as DeliveryStatus | undefined;
  const { type: event_type, subject: subject_id } = search;
  const paging = usePaging(`${hook.id}|${status ?? ''}|${event_type ?? ''}|${subject_id ?? ''}`);
  const list = useQuery({
    ...deliveriesQuery(hook.id, { ...paging.query, status, event_type, subject_id }),
    placeholderData: keepPreviousData,
  });
  const types = useQuery(eventTypesQuery);
  const set = (change: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  return (
    <Panel flush>
      <Group p="sm" gap="xs">
        <StatusFilter value={status} all={deliveryStatusValues} states={deliveryState} onChange={(value) => set({ status: value })} />
        <Select
          aria-label="Event"
          placeholder="Any event"
          data={types.data?.map(({ type }) => type) ?? []}
          value={event_type ?? null}
          onChange={(value) => set({ type: value ?? undefined })}
          searchable
          clearable
          w={260}
        />
        {subject_id && (
          <FilterPill label="About" onRemove={() => set({ subject: undefined })}>
            {nameIn(list.data?.data[0]) ?? 'one object'}
          </FilterPill>
        )}
      </Group>
      <PagedList
        query={list}
        paging={paging}
        noun="delivery"
        many="deliveries"
        label="Deliveries"
        columns={[
          { label: 'Event' },
          { label: 'State' },
          { label: 'Last answer', from: 'sm' },
          { label: 'Next attempt', from: 'md' },
          { label: 'Created', from: 'xs' },
        ]}
        empty={
          status || event_type || subject_id ? (
            <EmptyState icon={<IconSearchOff size={22} />} title="No delivery matches" text="Deliveries are kept for 30 days." />
          ) : (
            <EmptyState
              icon={<IconSend size={22} />}
              title="Nothing was sent yet"
              text="What happens from now on is sent and listed here, with every attempt and what came back."
            />
          )
        }
      >
        {(delivery) => <Row key={delivery.id} delivery={delivery} onOpen={() => set({ delivery: delivery.id })} />}
      </PagedList>
      <DeliveryDrawer
        id={search.delivery ?? null}
        hook={hook}
        onClose={() => set({ delivery: undefined })}
        onOther={(delivery) => set({ delivery })}
        onSubject={(subject) => set({ subject, delivery: undefined })}
      />
    </Panel>
  );
}

function Row({ delivery, onOpen }: { delivery: WebhookDelivery; onOpen: () => void }) {
  const last = delivery.attempts[0];
  return (
    <Table.Tr data-testid="delivery-row" data-status={delivery.status}>
      <Table.Td>
        <Group gap="xs">
          <RowButton onClick={onOpen}>{delivery.event_type}</RowButton>
          <Marks delivery={delivery} />
        </Group>
        <Text size="xs" c="dimmed">
          {nameIn(delivery)}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOf(deliveryState, delivery.status)} />
        <Text size="xs" c="dimmed">
          {delivery.attempt_count === 1 ? '1 attempt' : `${delivery.attempt_count} attempts`}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Text size="sm" className="numbers">
          {last ? (last.status ?? 'None') : '–'}
          {last && (
            <Text span inherit c="dimmed">
              {' '}
              · {formatDuration(last.milliseconds)}
            </Text>
          )}
        </Text>
        <Text size="xs" c="dimmed" lineClamp={1} maw={300}>
          {last?.problem}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">{delivery.next_attempt_at ? <Due at={delivery.next_attempt_at} /> : '–'}</Table.Td>
      <Table.Td visibleFrom="xs">
        <TimeAgo at={delivery.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}

export const OUT_OF_ORDER =
  'Events of one subject come in order. This one was sent although an earlier one had not come through within a minute, or a later one had; its header ocore-out-of-order says so to the receiver.';

export function Marks({ delivery }: { delivery: WebhookDelivery }) {
  return (
    <>
      {delivery.out_of_order && (
        <Tooltip label={OUT_OF_ORDER} multiline w={300} events={{ hover: true, focus: true, touch: true }}>
          <Badge color="yellow" tabIndex={0}>
            out of order
          </Badge>
        </Tooltip>
      )}
      {delivery.replay_of && <Badge variant="default">sent again</Badge>}
    </>
  );
}
