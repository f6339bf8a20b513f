import { Button, Group, Stack, TagsInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { SettingsView } from '@/api/types';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { useShown } from '@/pages/settingsForm';
import { networksProblem } from './settings';
import { useSaveSettings } from './useSaveSettings';

function valuesOf({ webhooks }: SettingsView) {
  return { networks: webhooks.allowed_networks };
}

export function Networks({ settings }: { settings: SettingsView }) {
  const form = useForm({ initialValues: valuesOf(settings), validate: { networks: networksProblem } });
  const { version, show } = useShown(form, settings, valuesOf);
  const save = useSaveSettings({
    version,
    onSaved: (saved) => {
      form.resetDirty();
      show(saved);
    },
    onRefused: (problem, fresh) => {
      const wrong = problem.fields.find(({ field }) => field.startsWith('webhooks'));
      if (wrong) form.setFieldError('networks', wrong.message);
      if (fresh) show(fresh);
    },
  });
  return (
    <Panel title="Where webhooks may go">
      <form
        onSubmit={form.onSubmit(({ networks }) => save.mutate({ webhooks: { allowed_networks: networks.map((text) => text.trim()) } }))}
        aria-label="Where webhooks may go"
        noValidate
      >
        <Stack gap="sm">
          <TagsInput
            label="Private networks"
            description="Beside the public internet. Members choose the addresses of webhooks; without this list none of them leads into your own networks."
            placeholder={form.values.networks.length === 0 ? '10.20.0.0/16' : undefined}
            splitChars={[',', ' ']}
            {...form.getInputProps('networks')}
          />
          <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
            Whoever may make webhooks can send requests to every machine in these networks and see what it answers. Name single
            addresses where you can.
          </Notice>
          <FormError error={save.error} shown={form.errors} />
          <Group justify="flex-end">
            {/* Never shut: what is typed becomes a network as this button takes the focus. */}
            <Button type="submit" loading={save.isPending} data-testid="save-networks">
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
