import { Group, NativeSelect, Table, Text } from '@mantine/core';
import { IconPlus, IconSearchOff, IconWebhook } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { webhooksQuery } from '@/api/signalsQueries';
import type { WebhookEndpoint } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { WebhookLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { useSession } from '@/shell/session';
import { eventsInWords, stateOfWebhook } from './webhooks';

export default function WebhooksPage() {
  const { q, active } = useSearch({ from: '/app/webhooks' });
  const navigate = useNavigate({ from: '/webhooks' });
  const { can } = useSession();
  const paging = usePaging(`${q ?? ''}|${active ?? ''}`);
  const list = useQuery({
    ...webhooksQuery({ ...paging.query, q, active: active === undefined ? undefined : active === 'true' }),
    placeholderData: keepPreviousData,
  });
  const newButton = can('manage:webhooks') && (
    <ButtonLink to="/webhooks/new" leftSection={<IconPlus size={16} />} data-new data-testid="new-webhook">
      New webhook
    </ButtonLink>
  );
  return (
    <>
      <PageHeader title="Webhooks" subtitle="Addresses that are told what happens, each request signed." actions={newButton} />
      <Panel flush>
        <Group p="sm" gap="xs">
          <SearchInput
            label="Search webhooks"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true })}
          />
          <NativeSelect
            aria-label="State"
            value={active ?? ''}
            data={[
              { value: '', label: 'On and off' },
              { value: 'true', label: 'On' },
              { value: 'false', label: 'Off' },
            ]}
            onChange={(event) => {
              const next = event.currentTarget.value || undefined;
              void navigate({ search: (s) => ({ ...s, active: next }), replace: true });
            }}
          />
        </Group>
        <PagedList
          query={list}
          paging={paging}
          noun="webhook"
          label="Webhooks"
          columns={[{ label: 'Address' }, { label: 'State' }, { label: 'Events', from: 'md' }, { label: 'Created', from: 'sm' }]}
          empty={
            q || active ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No webhook matches" text="Try another filter." />
            ) : (
              <EmptyState
                icon={<IconWebhook size={22} />}
                title="No webhook yet"
                text="Have a chat room, a ticket system or a script of yours told when a server goes offline or a job fails."
                action={newButton}
              />
            )
          }
        >
          {(hook) => <Row key={hook.id} hook={hook} />}
        </PagedList>
      </Panel>
    </>
  );
}

function Row({ hook }: { hook: WebhookEndpoint }) {
  return (
    <Table.Tr data-testid="webhook-row" data-url={hook.url}>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>
        <WebhookLink id={hook.id} strong>
          {hook.url}
        </WebhookLink>
        {hook.description && (
          <Text size="xs" c="dimmed">
            {hook.description}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <StatusBadge state={stateOfWebhook(hook)} title={hook.disabled_reason} />
        <Text size="xs" c="dimmed" maw={260}>
          {hook.disabled_reason ?? (hook.active && hook.failing_since && <>since <TimeAgo at={hook.failing_since} /></>)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm" title={hook.events.join('\n')}>
          {eventsInWords(hook.events)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={hook.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}
