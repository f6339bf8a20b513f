import { Button, Group, Menu, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconDots, IconPlayerPause, IconPlayerPlay, IconRefresh, IconSend, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { keys } from '@/api/queries';
import { webhookQuery } from '@/api/signalsQueries';
import type { WebhookEndpoint } from '@/api/types';
import { CopyButton } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { FactList, Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatDateTime } from '@/lib/format';
import { useNow } from '@/lib/now';
import { useSession } from '@/shell/session';
import { Deliveries } from './Deliveries';
import { Verification } from './SecretShown';
import { TestDialog } from './TestDialog';
import { DeleteDialog, RotateDialog } from './WebhookDialogs';
import { WebhookForm } from './WebhookForm';
import { stateOfWebhook, type WebhookValues } from './webhooks';

export default function WebhookPage() {
  const { id } = useParams({ from: '/app/webhooks/$id' });
  const { data: hook, error, refetch } = useQuery(webhookQuery(id));
  if (error && (!hook || asApiError(error).status === 404)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!hook) return <LoadingRows rows={8} />;
  return <Page key={hook.id} hook={hook} />;
}

/** Changes it and keeps the caches at what is so now. */
function useChange(hook: WebhookEndpoint) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Partial<WebhookValues>) =>
      unwrap(
        api.PATCH('/api/webhook-endpoints/{id}', {
          params: { path: { id: hook.id } },
          headers: { 'If-Match': `"${hook.version}"` },
          body,
        }),
      ),
    meta: { showsError: true },
    onSuccess: (saved) => {
      client.setQueryData(keys.webhook(hook.id), saved);
      void client.invalidateQueries({ queryKey: keys.webhooks });
      void client.invalidateQueries({ queryKey: keys.deliveries });
      notifications.show({ message: 'Saved' });
    },
    onError: (error) => {
      if (asApiError(error).status === 412) void client.invalidateQueries({ queryKey: keys.webhook(hook.id) });
    },
  });
}

function Page({ hook }: { hook: WebhookEndpoint }) {
  const { tab } = useSearch({ from: '/app/webhooks/$id' });
  const navigate = useNavigate({ from: '/webhooks/$id' });
  const { can } = useSession();
  const editable = can('manage:webhooks');
  const [dialog, setDialog] = useState<'test' | 'rotate' | 'delete' | null>(null);
  const change = useChange(hook);
  const close = () => setDialog(null);
  return (
    <>
      <PageHeader
        title={hook.description || hostOf(hook.url)}
        parent={<Link to="/webhooks">Webhooks</Link>}
        status={<StatusBadge state={stateOfWebhook(hook)} />}
        subtitle={
          <Group gap={2} wrap="nowrap">
            <span style={{ overflowWrap: 'anywhere' }}>{hook.url}</span>
            <CopyButton value={hook.url} label="Copy the address" />
          </Group>
        }
        actions={
          editable && (
            <>
              <Button variant="default" leftSection={<IconSend size={16} />} onClick={() => setDialog('test')} data-testid="test-webhook">
                Send a test
              </Button>
              <Menu position="bottom-end" width={240}>
                <Menu.Target>
                  <Button variant="default" px="xs" aria-label="More actions" data-testid="more-actions">
                    <IconDots size={16} />
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  <Menu.Item
                    leftSection={hook.active ? <IconPlayerPause size={16} /> : <IconPlayerPlay size={16} />}
                    onClick={() => change.mutate({ active: !hook.active })}
                  >
                    {hook.active ? 'Switch off' : 'Switch on'}
                  </Menu.Item>
                  <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => setDialog('rotate')} data-testid="action-rotate">
                    Rotate: a new secret
                  </Menu.Item>
                  <Menu.Divider />
                  <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => setDialog('delete')} data-testid="action-delete">
                    Delete
                  </Menu.Item>
                </Menu.Dropdown>
              </Menu>
            </>
          )
        }
      />
      <Stack gap="md">
        <Trouble hook={hook} onSwitchOn={editable ? () => change.mutate({ active: true }) : undefined} busy={change.isPending} />
        <PageTabs
          value={tab}
          onChange={(value) => void navigate({ search: { tab: value === 'deliveries' ? undefined : value }, replace: true })}
          tabs={[
            { value: 'deliveries', label: 'Deliveries', render: () => <Deliveries hook={hook} /> },
            { value: 'settings', label: 'Settings', hidden: !editable, render: () => <Settings hook={hook} change={change} /> },
            { value: 'receiver', label: 'For the receiver', render: () => <Receiver hook={hook} /> },
          ]}
        />
      </Stack>
      <TestDialog hook={hook} opened={dialog === 'test'} onClose={close} />
      <RotateDialog hook={hook} opened={dialog === 'rotate'} onClose={close} />
      <DeleteDialog hook={hook} opened={dialog === 'delete'} onClose={close} />
    </>
  );
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function Trouble({ hook, onSwitchOn, busy }: { hook: WebhookEndpoint; onSwitchOn?: () => void; busy: boolean }) {
  if (hook.active && !hook.failing_since) return null;
  if (hook.active) {
    return (
      <Notice tone="warn" icon={<IconAlertTriangle size={18} />} title="Nothing comes through" testId="webhook-failing">
        Since <TimeAgo at={hook.failing_since} />. Each delivery is tried again for three days; after that the webhook is
        switched off. The attempts below show what comes back.
      </Notice>
    );
  }
  return (
    <Notice tone={hook.disabled_reason ? 'bad' : 'idle'} icon={<IconPlayerPause size={18} />} title={hook.disabled_reason ? 'Switched off by oCore' : 'Switched off'}>
      {hook.disabled_reason ?? 'Nothing is sent.'} What happens meanwhile is not sent later; deliveries that were cancelled can be
      sent again by hand.
      {onSwitchOn && (
        <Group mt="xs">
          <Button size="xs" variant="default" loading={busy} onClick={onSwitchOn} data-testid="switch-on">
            Switch on
          </Button>
        </Group>
      )}
    </Notice>
  );
}

function Settings({ hook, change }: { hook: WebhookEndpoint; change: ReturnType<typeof useChange> }) {
  const { url, description, events, active } = hook;
  return (
    <div style={{ maxWidth: 860 }}>
      <Panel>
        <WebhookForm
          // Begins anew where somebody else has changed it.
          key={hook.version}
          saved={{ url, description, events, active }}
          action="Save"
          busy={change.isPending}
          error={change.error}
          onSave={(_, touched) => change.mutate(touched)}
        />
      </Panel>
    </div>
  );
}

function Receiver({ hook }: { hook: WebhookEndpoint }) {
  const now = useNow();
  const overlap = hook.previous_secret_until && Date.parse(hook.previous_secret_until) > now ? hook.previous_secret_until : null;
  return (
    <Stack gap="md" maw={860}>
      <Panel title="How it is signed">
        <Stack gap="md">
          <Text size="sm">
            Answer with any 2xx within 15 seconds and do the work afterwards. Everything else is tried again: after 10 seconds,
            then after twice as long each time, for three days. An answer 410 switches the webhook off.
          </Text>
          <Verification />
        </Stack>
      </Panel>
      <Panel title="About">
        <FactList
          facts={[
            ['Secret', overlap ? <>Two count: the one before ends <TimeAgo key="end" at={overlap} /></> : 'One counts'],
            ['Created', formatDateTime(hook.created_at)],
            ['Changed', formatDateTime(hook.updated_at)],
            ['Id', <Text key="id" size="sm" ff="monospace" fz={12.5}>{hook.id}</Text>],
          ]}
        />
      </Panel>
    </Stack>
  );
}
