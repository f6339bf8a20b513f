// A new name, a certificate of one's own for it, and who may come in by it.
import { ActionIcon, Button, Checkbox, FileButton, Group, Modal, NumberInput, PasswordInput, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconPlus, IconUpload, IconX } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import type { Domain } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { useStale } from '../useStale';
import { accessBody, accessField, accessValues, type AccessValues } from './domains';

export function AddDomainDialog({ instanceId, onClose }: { instanceId: string; onClose: () => void }) {
  const onSettled = useStale(instanceId);
  const form = useForm({
    initialValues: { host: '' },
    validate: { host: (host) => (host.trim() ? null : 'Which one? Such as shop.example.com') },
    onValuesChange: () => add.isError && add.reset(),
  });
  const add = useMutation({
    mutationFn: ({ host }: typeof form.values) =>
      unwrap(api.POST('/api/instances/{id}/domains', { params: { path: { id: instanceId } }, body: { host: host.trim() } })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { host: 'host' }));
      if (problem.code === 'domain_taken') form.setFieldError('host', problem.message);
    },
    onSuccess: onClose,
    onSettled,
  });
  return (
    <Modal opened onClose={onClose} title="Add a domain">
      <form onSubmit={form.onSubmit((values) => add.mutate(values))} aria-label="New domain" data-testid="domain-form" noValidate>
        <Stack gap="sm">
          <TextInput
            label="Name"
            description="The whole name that people type. What its DNS has to be is told next."
            placeholder="shop.example.com"
            inputMode="url"
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            data-autofocus
            data-testid="domain-host"
            {...form.getInputProps('host')}
          />
          <FormError error={add.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={add.isPending} data-testid="save-domain">
            Add
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}

export function CertificateDialog({ domain, onClose }: { domain: Domain; onClose: () => void }) {
  const onSettled = useStale(domain.instance_id);
  const form = useForm({
    initialValues: { certificate: '', private_key: '' },
    validate: {
      certificate: (pem) => (pem.includes('-----BEGIN CERTIFICATE-----') ? null : 'Paste it as PEM: it begins with -----BEGIN CERTIFICATE-----'),
      private_key: (pem) => (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem) ? null : 'Paste it as PEM, without a passphrase'),
    },
    onValuesChange: () => upload.isError && upload.reset(),
  });
  const upload = useMutation({
    mutationFn: (body: typeof form.values) =>
      unwrap(
        api.PUT('/api/instances/{id}/domains/{domain_id}/certificate', {
          params: { path: { id: domain.instance_id, domain_id: domain.id } },
          headers: { 'If-Match': `"${domain.version}"` },
          body,
        }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { certificate: 'certificate', private_key: 'private_key' })),
    onSuccess: () => {
      notifications.show({ message: `The certificate of ${domain.host} is being put in place` });
      onClose();
    },
    onSettled,
  });
  const pem = (field: 'certificate' | 'private_key', label: string, description: string) => (
    <Textarea
      label={
        <Group justify="space-between" gap="xs">
          {label}
          <FileButton onChange={(file) => void file?.text().then((text) => form.setFieldValue(field, text))} accept=".pem,.crt,.cer,.key,text/plain">
            {(props) => (
              <Button size="compact-xs" variant="subtle" leftSection={<IconUpload size={13} />} {...props}>
                From a file
              </Button>
            )}
          </FileButton>
        </Group>
      }
      description={description}
      aria-label={label}
      minRows={5}
      maxRows={9}
      autosize
      autoComplete="off"
      spellCheck={false}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12 }, label: { width: '100%' } }}
      data-testid={`certificate-${field}`}
      {...form.getInputProps(field)}
    />
  );
  return (
    <Modal opened onClose={onClose} title={`A certificate of your own for ${domain.name}`} size="lg">
      <form onSubmit={form.onSubmit((values) => upload.mutate(values))} aria-label="Certificate" data-testid="certificate-form" noValidate>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            It is shown from now on, whatever the DNS says, and not renewed by itself: you are told before it ends.
          </Text>
          {pem('certificate', 'Certificate', 'The domain’s own first, then those that lead to its authority.')}
          {pem('private_key', 'Private key', 'Sealed, and never shown again.')}
          <FormError error={upload.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={upload.isPending} data-testid="save-certificate">
            Use it
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}

export function AccessDialog({ domain, onClose }: { domain: Domain; onClose: () => void }) {
  // Of what is shown: what somebody else changes meanwhile is not written over.
  const [version] = useState(domain.version);
  const onSettled = useStale(domain.instance_id);
  const form = useForm<AccessValues>({
    initialValues: accessValues(domain.access),
    validate: {
      users: {
        username: (name) => (name.trim() ? null : 'Whom?'),
        password: (password, values, path) => {
          const stored = values.users[Number(path.split('.')[1])]?.stored;
          return password || stored ? (password && password.length < 8 ? 'At least 8 characters' : null) : 'They need one';
        },
      },
    },
    onValuesChange: () => save.isError && save.reset(),
  });
  const save = useMutation({
    mutationFn: (values: AccessValues) =>
      unwrap(
        api.PUT('/api/instances/{id}/domains/{domain_id}/access', {
          params: { path: { id: domain.instance_id, domain_id: domain.id } },
          headers: { 'If-Match': `"${version}"` },
          body: accessBody(values),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(Object.fromEntries(asApiError(error).fields.map(({ field, message }) => [accessField(field), message]))),
    onSuccess: () => {
      notifications.show({ message: `Who may come in by ${domain.host} is changed` });
      onClose();
    },
    onSettled,
  });
  return (
    <Modal opened onClose={onClose} title={`Who may come in by ${domain.name}`} size="lg">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Who may come in" data-testid="access-form" noValidate>
        <Stack gap="md">
          <Textarea
            label="Only these addresses"
            description="An address or a network on each line. Empty: everybody."
            placeholder="203.0.113.0/24"
            autosize
            minRows={2}
            maxRows={8}
            spellCheck={false}
            data-autofocus
            data-testid="access-allow"
            {...form.getInputProps('allow')}
          />
          <Textarea
            label="Never these"
            placeholder="198.51.100.66"
            autosize
            minRows={1}
            maxRows={8}
            spellCheck={false}
            data-testid="access-deny"
            {...form.getInputProps('deny')}
          />
          <Stack gap={6}>
            <Text size="sm" fw={500}>
              Asked for a password before Odoo shows anything
            </Text>
            {form.values.users.map((user, index) => (
              <Group key={index} gap="xs" align="flex-start" wrap="nowrap">
                <TextInput style={{ flex: 1 }} aria-label="User" placeholder="User" autoComplete="off" {...form.getInputProps(`users.${index}.username`)} />
                <PasswordInput
                  style={{ flex: 1 }}
                  aria-label="Password"
                  placeholder={user.stored ? '•••••••• stored' : 'Password'}
                  autoComplete="new-password"
                  {...form.getInputProps(`users.${index}.password`)}
                />
                <ActionIcon color="gray" mt={6} aria-label={`Remove ${user.username || 'this user'}`} onClick={() => form.removeListItem('users', index)}>
                  <IconX size={16} />
                </ActionIcon>
              </Group>
            ))}
            <div>
              <Button
                size="compact-sm"
                variant="subtle"
                leftSection={<IconPlus size={14} />}
                onClick={() => form.insertListItem('users', { username: '', password: '', stored: false })}
                data-testid="add-user"
              >
                Add a user
              </Button>
            </div>
          </Stack>
          <Checkbox
            label="Send people on to the primary domain"
            description="With path and query kept."
            disabled={domain.is_primary}
            {...form.getInputProps('redirect', { type: 'checkbox' })}
          />
          <Checkbox
            label="Tell browsers to keep to HTTPS (HSTS)"
            description="Begin small: they do not forget it before the time is over."
            {...form.getInputProps('hsts', { type: 'checkbox' })}
          />
          {form.values.hsts && (
            <NumberInput label="For so many seconds" min={0} max={63_072_000} w={220} {...form.getInputProps('hstsSeconds')} />
          )}
          <FormError error={save.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={save.isPending} data-testid="save-access">
            Save
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}
