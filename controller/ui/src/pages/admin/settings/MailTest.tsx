import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconMailCheck, IconSend } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { useSession } from '@/shell/session';

/** Sends a mail now, by what is saved, and shows what the server said. */
export function MailTest({ unsaved }: { unsaved: boolean }) {
  const { user } = useSession();
  const [to, setTo] = useState(user.email);
  const test = useMutation({
    mutationFn: () => unwrap(api.POST('/api/admin/settings/mail/test', { body: to.trim() ? { to: to.trim() } : {} })),
    meta: { showsError: true },
  });
  return (
    <Panel title="Try it out">
      <form
        aria-label="Send a test mail"
        onSubmit={(event) => {
          event.preventDefault();
          test.mutate();
        }}
      >
        <Stack gap="sm">
          <Group align="flex-end" gap="xs">
            <TextInput
              label="Send a mail to"
              type="email"
              value={to}
              onChange={(event) => setTo(event.currentTarget.value)}
              style={{ flex: 1, minWidth: 180 }}
            />
            <Button type="submit" variant="default" leftSection={<IconSend size={16} />} loading={test.isPending} disabled={unsaved} data-testid="test-mail">
              Send
            </Button>
          </Group>
          {unsaved && (
            <Text size="xs" c="dimmed">
              Save first: what is saved is tried.
            </Text>
          )}
          {test.data && (
            <Notice
              tone={test.data.accepted ? 'good' : 'bad'}
              icon={test.data.accepted ? <IconMailCheck size={18} /> : <IconAlertTriangle size={18} />}
              title={test.data.accepted ? `The server has taken the mail to ${test.data.to}` : 'The mail was not taken'}
              testId="mail-answer"
            >
              {test.data.accepted ? 'It said: ' : ''}
              {test.data.answer}
            </Notice>
          )}
          <FormError error={test.error} />
        </Stack>
      </form>
    </Panel>
  );
}
