import { Anchor, Autocomplete, NumberInput, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { logSettingsQuery } from '@/api/adminQueries';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import type { LogSettings } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { touchedOf, useShown } from '@/pages/settingsForm';

function valuesOf({ level, job_log_days, event_days }: LogSettings) {
  return { level, job_log_days, event_days };
}

function days(least: number, most: number) {
  return (n: number) => (Number.isInteger(n) && n >= least && n <= most ? null : `From ${least} to ${most} days`);
}

export function Logs({ settings }: { settings: LogSettings }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: valuesOf(settings),
    validate: {
      level: (level) => (level.trim() ? null : 'A level, such as info'),
      job_log_days: days(1, 3650),
      event_days: days(1, 90),
    },
  });
  const { version, show } = useShown(form, settings, valuesOf);
  const save = useMutation({
    mutationFn: (body: { level?: string | null; job_log_days?: number; event_days?: number }) =>
      unwrap(api.PUT('/api/admin/settings/logs', { headers: { 'If-Match': `"${version}"` }, body })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { level: 'level', job_log_days: 'job_log_days', event_days: 'event_days' }));
      if (problem.status === 412) void client.fetchQuery({ ...logSettingsQuery, staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      client.setQueryData(logSettingsQuery.queryKey, saved);
      form.resetDirty();
      form.setValues(valuesOf(saved));
      show(saved);
      notifications.show({ message: 'Saved' });
    },
  });
  const shorter = form.values.job_log_days < settings.job_log_days;
  return (
    <Panel title="Logs">
      <form onSubmit={form.onSubmit((values) => save.mutate(touchedOf(values, form.isDirty)))} aria-label="Logs" noValidate>
        <Stack gap="md">
          <div>
            <Autocomplete
              label="What the controller writes into its log"
              description="error, warn, info, debug or trace; by module too, such as info,ocore_controller::fleet=debug. It holds within seconds."
              data={['error', 'warn', 'info', 'debug']}
              filter={({ options }) => options}
              spellCheck={false}
              {...form.getInputProps('level')}
            />
            {settings.level_source === 'settings' ? (
              <Anchor component="button" type="button" size="xs" mt={4} onClick={() => save.mutate({ level: null })}>
                As the controller is configured
              </Anchor>
            ) : (
              <Text size="xs" c="dimmed" mt={4}>
                As the controller is configured.
              </Text>
            )}
          </div>
          <NumberInput
            label="Logs of jobs are kept for"
            suffix=" days"
            allowDecimal={false}
            min={1}
            max={3650}
            clampBehavior="none"
            maw={320}
            {...form.getInputProps('job_log_days')}
          />
          <NumberInput
            label="Events can be read again for"
            description="By streams that were interrupted, and in lists of what happened."
            suffix=" days"
            allowDecimal={false}
            min={1}
            max={90}
            clampBehavior="none"
            maw={320}
            {...form.getInputProps('event_days')}
          />
          {shorter && (
            <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
              Logs of jobs that are older than {form.values.job_log_days} days are lost for good.
            </Notice>
          )}
          <FormError error={save.error} shown={form.errors} />
          <FormButtons loading={save.isPending} disabled={!form.isDirty()} data-testid="save-logs">
            Save
          </FormButtons>
        </Stack>
      </form>
    </Panel>
  );
}
