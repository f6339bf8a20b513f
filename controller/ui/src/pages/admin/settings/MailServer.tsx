import { Button, Group, NativeSelect, NumberInput, PasswordInput, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { isEmail, useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconMailOff } from '@tabler/icons-react';
import { fieldMessages } from '@/api/errors';
import type { MailTls, SettingsView } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { useShown } from '@/pages/settingsForm';
import { MailTest } from './MailTest';
import { hostProblem, mailOf, mailValues, TLS_PORTS } from './settings';
import { useSaveSettings } from './useSaveSettings';

const TLS: { value: MailTls; label: string }[] = [
  { value: 'starttls', label: 'STARTTLS (port 587)' },
  { value: 'tls', label: 'TLS from the first byte (port 465)' },
  { value: 'none', label: 'None: a server on this machine' },
];

const SOURCES = {
  none: 'There is none: every mail is kept for you to pass its link on.',
  configuration: 'The one in use is set by the flags or variables of the controller. What you save here counts instead.',
  settings: 'Set here.',
};

export function MailServer({ settings }: { settings: SettingsView }) {
  const form = useForm({
    initialValues: mailValues(settings.mail),
    validate: {
      host: hostProblem,
      port: (port) => (Number(port) >= 1 && Number(port) <= 65535 ? null : 'A port from 1 to 65535'),
      from_address: isEmail('An address such as noreply@example.com'),
      password: (password, { username }) => (password && !username.trim() ? 'Give the user name too' : null),
    },
  });
  const { version, show } = useShown(form, settings, ({ mail }) => mailValues(mail));
  const [removing, { open, close }] = useDisclosure();
  const done = (saved: SettingsView) => {
    form.resetDirty();
    form.setValues(mailValues(saved.mail));
    show(saved);
    close();
  };
  const save = useSaveSettings({
    version,
    onSaved: done,
    onRefused: (problem, fresh) => {
      const names = ['host', 'port', 'tls', 'username', 'password', 'from_address', 'from_name'];
      form.setErrors(fieldMessages(problem, Object.fromEntries(names.map((name) => [`mail.${name}`, name]))));
      if (fresh) show(fresh);
    },
  });
  const remove = useSaveSettings({ version, onSaved: done });
  const { host, username } = form.values;
  // Only for the same server and name, as a password must not wander to somebody else's server.
  const keeps = settings.mail?.password_set && settings.mail.host === host.trim() && settings.mail.username === username.trim();
  return (
    <>
      <Panel title="Mail server">
        <form onSubmit={form.onSubmit((values) => save.mutate({ mail: mailOf(values) }))} aria-label="Mail server" data-testid="mail-form" noValidate>
          <Stack gap="sm">
            {settings.mail_source === 'none' ? (
              <Notice tone="warn" icon={<IconMailOff size={18} />}>
                {SOURCES.none}
              </Notice>
            ) : (
              <Text size="sm" c="dimmed">
                {SOURCES[settings.mail_source]}
              </Text>
            )}
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
              <Group gap="xs" align="flex-start" wrap="nowrap">
                <TextInput label="Server" placeholder="smtp.example.com" spellCheck={false} flex={1} {...form.getInputProps('host')} />
                <NumberInput label="Port" w={88} allowDecimal={false} hideControls {...form.getInputProps('port')} />
              </Group>
              <NativeSelect
                label="Encryption"
                data={TLS}
                {...form.getInputProps('tls')}
                onChange={(event) => {
                  const next = event.currentTarget.value as MailTls;
                  const usual = Object.values(TLS_PORTS).includes(Number(form.values.port));
                  form.setFieldValue('tls', next);
                  if (usual) form.setFieldValue('port', TLS_PORTS[next]);
                }}
              />
              <TextInput label="User name" description="Empty where the server asks for none." autoComplete="off" spellCheck={false} {...form.getInputProps('username')} />
              <PasswordInput
                label="Password"
                description={keeps ? 'One is set; it stays unless you type another one.' : 'It is never shown again.'}
                placeholder={keeps ? '••••••••' : undefined}
                autoComplete="new-password"
                {...form.getInputProps('password')}
              />
              <TextInput label="Sender's address" placeholder="noreply@example.com" type="email" {...form.getInputProps('from_address')} />
              <TextInput label="Sender's name" placeholder="oCore" {...form.getInputProps('from_name')} />
            </SimpleGrid>
            <FormError error={save.error} shown={form.errors} />
            <Group justify="space-between">
              {settings.mail_source === 'settings' ? (
                <Button variant="light" color="red" onClick={open}>
                  Forget these settings
                </Button>
              ) : (
                <span />
              )}
              <Button type="submit" loading={save.isPending} disabled={!form.isDirty()} data-testid="save-mail">
                Save
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
      {settings.mail && <MailTest unsaved={form.isDirty()} />}
      <Confirm
        opened={removing}
        onClose={close}
        title="Forget the mail server"
        action="Forget it"
        keep="Keep it"
        run={remove}
        onConfirm={() => remove.mutate({ mail: null })}
      >
        From then on mail goes as the controller is configured by flags or variables; where it is not, it is kept for you.
      </Confirm>
    </>
  );
}
