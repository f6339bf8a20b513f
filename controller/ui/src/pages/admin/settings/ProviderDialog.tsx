import { Input, Modal, NativeSelect, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import type { OAuthKind, OAuthView, SettingsView } from '@/api/types';
import { CommandBox } from '@/components/Copy';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { issuerProblem, KINDS, keepsSecret, providerIdProblem, providersWith, providerValues, redirectUrl } from './settings';
import { useSaveSettings } from './useSaveSettings';

export interface ProviderDialogProps {
  settings: SettingsView;
  editing: OAuthView | 'new' | null;
  onClose: () => void;
}

export function ProviderDialog({ settings, editing, onClose }: ProviderDialogProps) {
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      size="lg"
      title={editing === 'new' ? 'Add a provider' : 'Change the provider'}
      closeOnClickOutside={false}
    >
      {editing && <ProviderForm settings={settings} before={editing === 'new' ? null : editing} onClose={onClose} />}
    </Modal>
  );
}

const ISSUER_HELP: Record<OAuthKind, string> = {
  oidc: 'Its discovery document is found below this address.',
  github: 'Only for an Enterprise Server; empty for github.com.',
  google: '',
};

/** What most people call it, until they say something else. */
const USUAL: Record<OAuthKind, { id: string; name: string }> = {
  github: { id: 'github', name: 'GitHub' },
  google: { id: 'google', name: 'Google' },
  oidc: { id: '', name: '' },
};

function ProviderForm({ settings, before, onClose }: { settings: SettingsView; before: OAuthView | null; onClose: () => void }) {
  const others = settings.oauth.filter((one) => one.id !== before?.id).map(({ id }) => id);
  const form = useForm({
    initialValues: providerValues(before),
    validate: {
      id: (id) => providerIdProblem(id.trim(), others),
      name: (name) => (name.trim() ? null : 'The word on its button'),
      issuer: (issuer, { kind }) => issuerProblem(issuer, kind),
      client_id: (id) => (id.trim() ? null : 'The provider gives it'),
      client_secret: (secret, values) => (secret || keepsSecret(before, values) ? null : 'The provider gives it'),
    },
  });
  const save = useSaveSettings({
    version: settings.version,
    onSaved: onClose,
    onRefused: ({ fields }) => {
      for (const { field, message } of fields) form.setFieldError(field.replace(/^oauth\[\d+\]\./, ''), message);
    },
  });
  const { id, kind } = form.values;
  const keeps = keepsSecret(before, form.values);
  return (
    <form
      onSubmit={form.onSubmit((values) => save.mutate({ oauth: providersWith(settings.oauth, before, values) }))}
      aria-label="Provider"
      data-testid="provider-form"
      noValidate
    >
      <Stack gap="sm">
        <NativeSelect
          label="Kind"
          data={KINDS}
          value={kind}
          onChange={(event) => {
            const next = event.currentTarget.value as OAuthKind;
            form.setFieldValue('kind', next);
            if (next === 'google') form.setFieldValue('issuer', '');
            if (!before && !form.isTouched('id')) form.setValues(USUAL[next]);
          }}
        />
        <TextInput label="Name" description="As the sign-in page shows it." placeholder="Company login" {...form.getInputProps('name')} />
        <TextInput
          label="Short name"
          description="Its part of the redirect URL. It stays what it is."
          placeholder="company"
          spellCheck={false}
          readOnly={before !== null}
          {...form.getInputProps('id')}
        />
        {kind !== 'google' && (
          <TextInput
            label="Issuer"
            description={ISSUER_HELP[kind]}
            placeholder="https://sso.example.com"
            inputMode="url"
            spellCheck={false}
            {...form.getInputProps('issuer')}
          />
        )}
        <Input.Wrapper label="Redirect URL" description="Give it to the provider, exactly so." labelElement="div">
          {id.trim() ? (
            <CommandBox command={redirectUrl(window.location.origin, id.trim())} label="redirect URL" testId="redirect-url" />
          ) : (
            <Text size="sm" c="dimmed">
              It appears with the short name.
            </Text>
          )}
        </Input.Wrapper>
        <TextInput label="Client id" autoComplete="off" spellCheck={false} {...form.getInputProps('client_id')} />
        <PasswordInput
          label="Client secret"
          description={keeps ? 'One is set; it stays unless you type another one.' : 'It is never shown again.'}
          placeholder={keeps ? '••••••••' : undefined}
          autoComplete="new-password"
          {...form.getInputProps('client_secret')}
        />
        <FormError error={save.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={save.isPending} data-testid="save-provider">
          Save
        </FormButtons>
      </Stack>
    </form>
  );
}
