import { Button, Checkbox, Collapse, Modal, PasswordInput, SegmentedControl, SimpleGrid, Input, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { FormButtons } from '@/components/FormButtons';
import { keepsCredential, nameOf, sourceRules, type SourceValues } from './sources';

export interface SourceDialogProps {
  /** None: it is closed. */
  source: SourceValues | null;
  isNew: boolean;
  /** Names of the other sources. */
  others: string[];
  /** What the API said of its fields. */
  problems?: Record<string, string>;
  onClose: () => void;
  onDone: (source: SourceValues) => void;
}

/** One source, typed anew or changed. Nothing is sent here: it goes with all others at once. */
export function SourceDialog({ source, isNew, onClose, ...rest }: SourceDialogProps) {
  return (
    <Modal opened={source !== null} onClose={onClose} title={isNew ? 'New source' : `Edit ${source?.name ?? ''}`} size="lg">
      {source && <SourceForm key={source.key} source={source} isNew={isNew} onClose={onClose} {...rest} />}
    </Modal>
  );
}

const plain = { autoCapitalize: 'none', autoComplete: 'off', spellCheck: false } as const;

function SourceForm({ source, isNew, others, problems, onClose, onDone }: SourceDialogProps & { source: SourceValues }) {
  const form = useForm<SourceValues>({
    initialValues: source,
    initialErrors: problems,
    validate: sourceRules(others),
    clearInputErrorOnChange: true,
  });
  const hasMore = Boolean(source.ca_certificate || source.known_hosts || problems?.ca_certificate || problems?.known_hosts);
  const [more, { toggle, open }] = useDisclosure(hasMore);
  return (
    <form
      onSubmit={form.onSubmit(onDone, (errors) => (errors.ca_certificate || errors.known_hosts) && open())}
      aria-label="Source of addons"
      data-testid="source-form"
      noValidate
    >
      <Stack gap="sm">
        <TextInput
          label="Address"
          description="Over HTTPS, or over SSH as git@host:path."
          placeholder="https://git.example.com/acme/addons.git"
          inputMode="url"
          {...plain}
          data-autofocus
          data-testid="source-url"
          {...form.getInputProps('url')}
        />
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
          <TextInput
            label="Branch, tag or commit"
            description="Empty: its default branch."
            placeholder="18.0"
            {...plain}
            data-testid="source-reference"
            {...form.getInputProps('reference')}
          />
          <TextInput
            label="Name"
            description="Its directory below /mnt/addons."
            placeholder={form.values.url ? nameOf(form.values.url) : 'addons'}
            {...plain}
            data-testid="source-name"
            {...form.getInputProps('name')}
          />
        </SimpleGrid>
        <Checkbox
          label="Odoo Enterprise"
          description="Odoo looks for modules here before all other sources."
          data-testid="source-enterprise"
          {...form.getInputProps('enterprise', { type: 'checkbox' })}
        />
        <CredentialFields form={form} />
        <div>
          <Button
            variant="subtle"
            size="compact-sm"
            leftSection={more ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
            aria-expanded={more}
            onClick={toggle}
            data-testid="source-more"
          >
            More
          </Button>
          <Collapse expanded={more}>
            <Stack gap="sm" mt="xs">
              <Textarea
                label="CA certificate"
                description="In PEM: the authority of a server whose certificate nobody else knows."
                placeholder="-----BEGIN CERTIFICATE-----"
                autosize
                minRows={2}
                maxRows={6}
                styles={MONO}
                {...plain}
                {...form.getInputProps('ca_certificate')}
              />
              <Textarea
                label="Known hosts"
                description="The server’s host keys. Empty: whoever answers first is remembered, and another one later is refused."
                placeholder="git.example.com ssh-ed25519 AAAA…"
                autosize
                minRows={2}
                maxRows={6}
                styles={MONO}
                {...plain}
                {...form.getInputProps('known_hosts')}
              />
            </Stack>
          </Collapse>
        </div>
        <Text size="xs" c="dimmed">
          Nothing is sent yet: it goes with the other changes when you apply them.
        </Text>
        <FormButtons onCancel={onClose} disabled={!isNew && !problems && !form.isDirty()} data-testid="keep-source">
          {isNew ? 'Add to the list' : 'Take over'}
        </FormButtons>
      </Stack>
    </form>
  );
}

const MONO = { input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12 } };

function CredentialFields({ form }: { form: UseFormReturnType<SourceValues> }) {
  const { credential, stored } = form.values;
  const keeps = keepsCredential(form.values);
  const hint = keeps ? 'Stored. It stays while this is empty.' : 'Not shown again.';
  return (
    <Stack gap="sm">
      <Input.Wrapper label="Credential" error={form.errors.credential} labelElement="div">
        <div>
          <SegmentedControl
            size="xs"
            mt={4}
            aria-label="Credential"
            data={[
              { value: 'none', label: 'None' },
              { value: 'token', label: 'Token' },
              { value: 'ssh_key', label: 'SSH key' },
            ]}
            value={credential}
            onChange={(next) => {
              form.setFieldValue('credential', next as SourceValues['credential']);
              for (const field of ['username', 'token', 'ssh_key']) form.clearFieldError(field);
            }}
            data-testid="source-credential"
          />
        </div>
      </Input.Wrapper>
      {credential === 'none' && stored?.credential && (
        <Text size="xs" c="dimmed">
          The stored credential is forgotten.
        </Text>
      )}
      {credential === 'token' && (
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
          <TextInput label="User" description="Many servers take any name." {...plain} data-testid="source-user" {...form.getInputProps('username')} />
          <PasswordInput
            label="Token"
            description={hint}
            placeholder={keeps ? '••••••••' : undefined}
            autoComplete="new-password"
            data-testid="source-token"
            {...form.getInputProps('token')}
          />
        </SimpleGrid>
      )}
      {credential === 'ssh_key' && (
        <Textarea
          label="Private key"
          description={`${hint} Without a passphrase.`}
          placeholder={keeps ? '••••••••' : '-----BEGIN OPENSSH PRIVATE KEY-----'}
          autosize
          minRows={3}
          maxRows={8}
          styles={MONO}
          {...plain}
          data-testid="source-key"
          {...form.getInputProps('ssh_key')}
        />
      )}
    </Stack>
  );
}
