import { Radio, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { SettingsView, SignupMode } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { useShown } from '@/pages/settingsForm';
import { useSaveSettings } from './useSaveSettings';

const MODES: { value: SignupMode; label: string; description: string }[] = [
  { value: 'closed', label: 'Nobody', description: 'Administrators make all accounts.' },
  { value: 'invitation', label: 'Who is invited', description: 'Whoever holds the link of an invitation into an organization.' },
  { value: 'open', label: 'Everybody', description: 'Anyone who reaches this controller.' },
];

function valuesOf({ signup }: SettingsView) {
  return { signup };
}

export function SignUp({ settings }: { settings: SettingsView }) {
  const form = useForm({ initialValues: valuesOf(settings) });
  const { version, show } = useShown(form, settings, valuesOf);
  const save = useSaveSettings({
    version,
    onSaved: (saved) => {
      form.resetDirty();
      show(saved);
    },
    onRefused: (_, fresh) => fresh && show(fresh),
  });
  const opens = form.values.signup === 'open' && settings.signup !== 'open';
  return (
    <Panel title="Sign-up">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Sign-up">
        <Stack gap="md">
          <Radio.Group label="Who may make an account for themself" {...form.getInputProps('signup')}>
            <Stack gap={10} mt={8}>
              {MODES.map((mode) => (
                <Radio key={mode.value} {...mode} />
              ))}
            </Stack>
          </Radio.Group>
          {opens && (
            <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
              Everybody who reaches the sign-in page can make an account and organizations of their own.
              {!settings.mail && ' Without a mail server nobody’s address is confirmed by itself: you pass the links on.'}
            </Notice>
          )}
          <FormError error={save.error} />
          <FormButtons loading={save.isPending} disabled={!form.isDirty()} data-testid="save-signup">
            Save
          </FormButtons>
        </Stack>
      </form>
    </Panel>
  );
}
