import { PasswordInput, SimpleGrid, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { keepsPassword, type RegistryValues, type StoredLogin } from './registries';

function passwordHint(values: RegistryValues, stored: StoredLogin | null): string {
  if (!values.username.trim()) return stored?.has_password ? 'Forgotten without a user.' : 'Goes with a user.';
  if (keepsPassword(values, stored)) return 'Stored. It stays while this is empty.';
  return 'Better an access token. Not shown again.';
}

/** What a registry is, new or not. */
export function RegistryFields({ form, stored }: { form: UseFormReturnType<RegistryValues>; stored: StoredLogin | null }) {
  return (
    <>
      <TextInput
        label="Address"
        description="Its host, and :port where that is not 443. docker.io is Docker Hub."
        placeholder="registry.example.com"
        inputMode="url"
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        data-autofocus
        data-testid="registry-address"
        {...form.getInputProps('address')}
      />
      <TextInput label="Description" placeholder="Our own images" autoComplete="off" {...form.getInputProps('description')} />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
        <TextInput
          label="User"
          description="Empty where it asks for none."
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          data-testid="registry-user"
          {...form.getInputProps('username')}
        />
        <PasswordInput
          label="Password"
          description={passwordHint(form.values, stored)}
          placeholder={keepsPassword(form.values, stored) ? '••••••••' : undefined}
          autoComplete="new-password"
          data-testid="registry-password"
          {...form.getInputProps('password')}
        />
      </SimpleGrid>
      <TextInput
        label="Mirror of"
        description="It is asked before that registry, for the same images. Left empty, it is no mirror."
        placeholder="docker.io"
        inputMode="url"
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        data-testid="registry-mirror"
        {...form.getInputProps('mirror_of')}
      />
    </>
  );
}
