import { Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconEye, IconMailForward } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { adminKeys } from '@/api/adminQueries';
import { api, unwrap } from '@/api/client';
import type { MailView, MailOpened } from '@/api/types';
import { CodeBox } from '@/components/Code';
import { CommandBox } from '@/components/Copy';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { FactList } from '@/components/Panel';
import { StatusBadge } from '@/components/StatusBadge';
import { formatDateTime } from '@/lib/format';
import { stateOf } from '@/lib/status';
import { mailState } from './mails';

export function MailDrawer({ mail, onClose }: { mail: MailView | null; onClose: () => void }) {
  return (
    <Drawer opened={mail !== null} onClose={onClose} title={mail?.subject ?? ''}>
      {mail && <Body key={mail.id} mail={mail} />}
    </Drawer>
  );
}

function Body({ mail }: { mail: MailView }) {
  return (
    <Stack gap="lg" data-testid="mail">
      {mail.problem && (
        <Notice tone={mail.status === 'failed' ? 'bad' : 'warn'} icon={<IconAlertTriangle size={18} />} title="What the mail server said">
          {mail.problem}
        </Notice>
      )}
      <FactList
        facts={[
          ['To', mail.recipient],
          ['State', <StatusBadge key="state" state={stateOf(mailState, mail.status)} />],
          ['Which', mail.template],
          ['Made', formatDateTime(mail.created_at)],
          ['Sent', formatDateTime(mail.sent_at)],
        ]}
      />
      {(mail.status === 'kept' || mail.status === 'failed') && <SendAgain mail={mail} />}
      {mail.status === 'sent' ? (
        <Text size="sm" c="dimmed">
          What it says was forgotten once the mail server had taken it.
        </Text>
      ) : (
        <Words mail={mail} />
      )}
    </Stack>
  );
}

function SendAgain({ mail }: { mail: MailView }) {
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: () => unwrap(api.POST('/api/admin/mails/{id}/retry', { params: { path: { id: mail.id } } })),
    meta: { showsError: true },
    onSuccess: () => notifications.show({ message: 'It is on its way' }),
    onSettled: () => void client.invalidateQueries({ queryKey: adminKeys.mails }),
  });
  return (
    <div>
      <Button variant="default" size="xs" leftSection={<IconMailForward size={15} />} loading={retry.isPending} onClick={() => retry.mutate()} data-testid="send-mail">
        Send it now
      </Button>
      <FormError error={retry.error} />
    </div>
  );
}

/** Opened on purpose, for its link is as good as a password. Kept in no cache. */
function Words({ mail }: { mail: MailView }) {
  const open = useMutation({
    mutationFn: (): Promise<MailOpened> => unwrap(api.GET('/api/admin/mails/{id}', { params: { path: { id: mail.id } } })),
    meta: { showsError: true },
    gcTime: 0,
  });
  if (open.data) {
    return (
      <Stack gap="sm">
        {open.data.link && (
          <>
            <Text size="sm" fw={600}>
              Its link
            </Text>
            <CommandBox command={open.data.link} label="link of the mail" testId="mail-link" />
          </>
        )}
        <Text size="sm" fw={600}>
          What it says
        </Text>
        {open.data.text == null ? (
          <Text size="sm" c="dimmed">
            It was sent meanwhile, and its words are forgotten.
          </Text>
        ) : (
          <CodeBox text={open.data.text} label="text of the mail" testId="mail-text" />
        )}
      </Stack>
    );
  }
  return (
    <Notice tone="warn" icon={<IconEye size={18} />} title="Opening it is written down">
      Its link lets whoever has it act as {mail.recipient}. Open it only to pass the link on to them; the audit log notes that you did.
      <Group mt="xs">
        <Button size="xs" variant="default" loading={open.isPending} onClick={() => open.mutate()} data-testid="open-mail">
          Open the mail
        </Button>
      </Group>
      <FormError error={open.error} />
    </Notice>
  );
}
