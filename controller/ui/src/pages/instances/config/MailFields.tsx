import { Checkbox, Group, NativeSelect, NumberInput, PasswordInput, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core';
import { smtpEncryptionValues, type Smtp } from '@/api/types';
import { Panel } from '@/components/Panel';
import type { ConfigForm } from './ConfigForm';
import { ENCRYPTIONS } from './settings';
import { keepsPassword } from './values';

const PASSWORD = {
  keeps: 'Stored: leave it empty to keep it.',
  wants: 'Give it again: the stored one is for another server or user.',
  none: 'It is never shown again.',
};

export interface MailFieldsProps {
  form: ConfigForm;
  /** What is saved: its password stays as long as host and user do. */
  stored: Smtp | null | undefined;
  hasFromFilter: boolean;
}

export function MailFields({ form, stored, hasFromFilter }: MailFieldsProps) {
  const { smtp } = form.values;
  const keeps = keepsPassword(stored, smtp);
  const wants = stored?.has_password === true && !keeps && !smtp.forget;
  return (
    <Panel title="Mail">
      <Stack gap="sm">
        <Switch
          label="Send mail by a server named here"
          description="For whatever no outgoing mail server in Odoo itself is responsible for."
          {...form.getInputProps('smtp.on', { type: 'checkbox' })}
          data-testid="mail-on"
        />
        {smtp.on && (
          <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
            <Group gap="xs" align="flex-start" wrap="nowrap">
              <TextInput
                label="Server"
                placeholder="smtp.example.com"
                spellCheck={false}
                autoComplete="off"
                flex={1}
                {...form.getInputProps('smtp.host')}
                data-testid="smtp-host"
              />
              <NumberInput label="Port" w={88} allowDecimal={false} allowNegative={false} hideControls {...form.getInputProps('smtp.port')} />
            </Group>
            <NativeSelect label="Encryption" data={smtpEncryptionValues.map((value) => ({ value, label: ENCRYPTIONS[value] }))} {...form.getInputProps('smtp.encryption')} />
            <TextInput
              label="User"
              description="Empty where the server asks for none."
              autoComplete="off"
              spellCheck={false}
              {...form.getInputProps('smtp.user')}
              data-testid="smtp-user"
            />
            <PasswordInput
              label="Password"
              description={keeps ? PASSWORD.keeps : wants ? PASSWORD.wants : PASSWORD.none}
              placeholder={keeps ? '••••••••' : undefined}
              autoComplete="new-password"
              disabled={smtp.forget}
              {...form.getInputProps('smtp.password')}
              data-testid="smtp-password"
            />
            <TextInput
              label="Sender"
              description="Of what has none."
              placeholder="shop@example.com"
              autoComplete="off"
              {...form.getInputProps('smtp.from')}
            />
            {hasFromFilter && (
              <TextInput
                label="May send for"
                description="Other senders are rewritten."
                placeholder="shop@example.com or example.com"
                autoComplete="off"
                {...form.getInputProps('smtp.from_filter')}
              />
            )}
          </SimpleGrid>
        )}
        {smtp.on && stored?.has_password && !smtp.password && (
          <Checkbox label="Forget the stored password" {...form.getInputProps('smtp.forget', { type: 'checkbox' })} />
        )}
      </Stack>
    </Panel>
  );
}
