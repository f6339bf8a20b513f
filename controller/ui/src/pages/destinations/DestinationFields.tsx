import { Checkbox, NumberInput, PasswordInput, SegmentedControl, Select, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import type { Destination, Encryption, Place } from '@/api/types';
import { ENCRYPTIONS, KINDS, keepsSecret, type DestinationValues } from './destinations';

interface Fields {
  form: UseFormReturnType<DestinationValues>;
  stored: Destination | null;
}

const PLAIN = { autoCapitalize: 'none', autoComplete: 'off', spellCheck: false } as const;

/** What a destination is, new or not. */
export function DestinationFields({ form, stored }: Fields) {
  const { kind, encryption } = form.values;
  const choose = (next: string) => {
    form.setFieldValue('kind', next as Place['kind']);
    form.clearErrors();
    // What is usual there, as long as nobody has said otherwise.
    if (!stored && !form.isDirty('encryption')) {
      const usual: Encryption = next === 'local' ? 'none' : 'managed';
      form.setFieldValue('encryption', usual);
      form.resetDirty({ ...form.values, encryption: usual });
    }
  };
  return (
    <>
      <TextInput label="Name" placeholder="Off-site" data-autofocus data-testid="destination-name" {...PLAIN} {...form.getInputProps('name')} />
      <SegmentedControl aria-label="Kind" data={KINDS} value={kind} onChange={choose} data-testid="destination-kind" fullWidth />
      {kind === 's3' && <S3Fields form={form} stored={stored} />}
      {kind === 'sftp' && <SftpFields form={form} stored={stored} />}
      {kind === 'local' && (
        <TextInput
          label="Directory"
          description="Of each managed server. Other places than /var/backups/ocore are named in the server’s policy.toml first."
          placeholder="/var/backups/ocore"
          data-testid="destination-path"
          {...PLAIN}
          {...form.getInputProps('path')}
        />
      )}
      <Select
        label="Encryption"
        description={ENCRYPTIONS.find(({ value }) => value === encryption)?.hint}
        data={ENCRYPTIONS}
        allowDeselect={false}
        data-testid="destination-encryption"
        {...form.getInputProps('encryption')}
      />
      {encryption === 'recipients' && (
        <Textarea
          label="Public keys"
          description="Of age, one a line. Keep their other halves where they survive this controller."
          placeholder="age1…"
          autosize
          minRows={2}
          data-testid="destination-recipients"
          {...PLAIN}
          {...form.getInputProps('recipients')}
        />
      )}
    </>
  );
}

function S3Fields({ form, stored }: Fields) {
  return (
    <>
      <TextInput
        label="Endpoint"
        description="Empty for Amazon."
        placeholder="https://s3.example.com"
        inputMode="url"
        data-testid="destination-endpoint"
        {...PLAIN}
        {...form.getInputProps('endpoint')}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
        <TextInput label="Bucket" placeholder="acme-backups" data-testid="destination-bucket" {...PLAIN} {...form.getInputProps('bucket')} />
        <TextInput label="Region" placeholder="eu-central-1" data-testid="destination-region" {...PLAIN} {...form.getInputProps('region')} />
      </SimpleGrid>
      <TextInput label="Access key" data-testid="destination-key" {...PLAIN} {...form.getInputProps('access_key_id')} />
      <SecretField form={form} stored={stored} />
      <TextInput label="Prefix" description="What every key there begins with. Empty: nothing." placeholder="odoo" {...PLAIN} {...form.getInputProps('prefix')} />
      <Checkbox
        label="The bucket is a part of the path"
        description="For services whose buckets have no host name of their own."
        {...form.getInputProps('path_style', { type: 'checkbox' })}
      />
      <Textarea
        label="Authority’s certificate"
        description="PEM, where the endpoint’s certificate is signed by an authority of your own."
        autosize
        maxRows={6}
        {...PLAIN}
        {...form.getInputProps('ca_certificate')}
      />
    </>
  );
}

function SftpFields({ form, stored }: Fields) {
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
        <TextInput label="Host" placeholder="backup.example.com" inputMode="url" data-testid="destination-host" {...PLAIN} {...form.getInputProps('host')} />
        <NumberInput label="Port" min={1} max={65_535} allowDecimal={false} hideControls {...form.getInputProps('port')} />
        <TextInput label="User" data-testid="destination-user" {...PLAIN} {...form.getInputProps('username')} />
        <TextInput label="Directory" placeholder="odoo" {...PLAIN} {...form.getInputProps('path')} />
      </SimpleGrid>
      <SecretField form={form} stored={stored} />
      <TextInput
        label="Host key"
        description="Empty: the one that it shows now is the one that counts from then on."
        placeholder="SHA256:…"
        {...PLAIN}
        {...form.getInputProps('host_key')}
      />
    </>
  );
}

function SecretField({ form, stored }: Fields) {
  const keeps = keepsSecret(form.values, stored);
  const hint = keeps ? 'Stored. It stays while this is empty.' : 'Not shown again.';
  if (form.values.kind === 's3') {
    return (
      <PasswordInput
        label="Secret access key"
        description={hint}
        placeholder={keeps ? '••••••••' : undefined}
        autoComplete="new-password"
        data-testid="destination-secret"
        {...form.getInputProps('secret')}
      />
    );
  }
  return (
    <Stack gap={4}>
      <Textarea
        label="Password or private key"
        description={`${hint} A key must have no passphrase.`}
        placeholder={keeps ? '••••••••' : undefined}
        autosize
        maxRows={8}
        data-testid="destination-secret"
        {...PLAIN}
        {...form.getInputProps('secret')}
      />
      <Text size="xs" c="dimmed">
        It is sealed here and goes to no other host.
      </Text>
    </Stack>
  );
}
