import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { configQuery } from '@/api/configQueries';
import { asApiError } from '@/api/errors';
import type { Instance, InstanceConfig } from '@/api/types';
import { FormError } from '@/components/FormError';
import { useShown } from '@/pages/settingsForm';
import { ConfFile } from './ConfFile';
import classes from './config.module.css';
import { LimitFields } from './LimitFields';
import { MailFields } from './MailFields';
import { LoggingFields, OdooFields } from './OdooFields';
import { OtherKeys } from './OtherKeys';
import { Processes } from './Processes';
import { useConfigChange } from './useConfigChange';
import { usePreview } from './usePreview';
import { changesOf, keyProblem, mailProblem, messagesOf, valuesOf, type ConfigValues } from './values';

export type ConfigForm = UseFormReturnType<ConfigValues>;

/** The first version that rewrites senders. */
const FROM_FILTER = 15;

/** The settings beside the file that comes of them. */
export function ConfigForm({ instance, config, editable }: { instance: Instance; config: InstanceConfig; editable: boolean }) {
  const client = useQueryClient();
  const [note, setNote] = useState('');
  const form = useForm<ConfigValues>({
    initialValues: valuesOf(config),
    validate: {
      workers: (workers) => (workers === '' ? 'How many? Or let oCore size them' : null),
      smtp: { host: (_, values) => mailProblem(values.smtp) },
      extra_conf: { key: (key, values) => keyProblem(key, values.extra_conf) },
    },
  });
  const { version, show } = useShown(form, config, valuesOf);
  const begin = (fresh: InstanceConfig) => {
    form.resetDirty();
    form.setValues(valuesOf(fresh));
    form.clearErrors();
    setNote('');
    show(fresh);
  };
  const changes = changesOf(form.values, form.isDirty);
  const preview = usePreview(config, changes, editable);
  const save = useConfigChange(config.instance_id, version, (fresh) => {
    begin(fresh);
    // The steps of the job stand above.
    window.scrollTo({ top: 0 });
  });
  useEffect(() => {
    if (preview.error) form.setErrors(messagesOf(asApiError(preview.error), form.values));
    else if (preview.answered) form.clearErrors();
  }, [preview.error, preview.answered]);
  const submit = (values: ConfigValues) =>
    save.mutate(
      { save: { ...changes, note: note.trim() || undefined } },
      {
        onError: (error) => {
          const problem = asApiError(error);
          form.setErrors(messagesOf(problem, values));
          if (problem.status === 412) void client.fetchQuery({ ...configQuery(config.instance_id), staleTime: 0 }).then(show);
        },
      },
    );
  const { sizing, conf, warnings } = preview.shown;
  const busy = config.active_job_id != null;
  return (
    <div className={classes.layout}>
      <form onSubmit={form.onSubmit(submit)} aria-label="Configuration" data-testid="config-form" noValidate>
        <fieldset className={classes.form} disabled={!editable}>
          <Stack gap="md">
            <Processes form={form} sizing={sizing} />
            <LimitFields form={form} limits={config.limits} />
            <OdooFields form={form} />
            <LoggingFields form={form} />
            <MailFields form={form} stored={config.smtp} hasFromFilter={Number.parseInt(config.odoo_version, 10) >= FROM_FILTER} />
            <OtherKeys form={form} />
            {editable && (
              <div className={classes.save}>
                <Stack gap="xs">
                  <FormError error={save.error ?? preview.error} shown={form.errors} />
                  <Group justify="flex-end" gap="xs">
                    <TextInput
                      aria-label="Why, for the history"
                      placeholder="Why, for the history"
                      maxLength={500}
                      flex="1 1 200px"
                      value={note}
                      onChange={(event) => setNote(event.currentTarget.value)}
                      data-testid="config-note"
                    />
                    <Button variant="default" disabled={!form.isDirty()} onClick={() => begin(config)}>
                      Discard
                    </Button>
                    <Button type="submit" loading={save.isPending} disabled={!form.isDirty() || busy} data-testid="save-config">
                      Try and apply
                    </Button>
                  </Group>
                  <Text size="xs" c="dimmed">
                    {whatHappens(instance, busy)}
                  </Text>
                </Stack>
              </div>
            )}
          </Stack>
        </fieldset>
      </form>
      <div className={classes.aside}>
        <ConfFile saved={config.conf} conf={conf} warnings={warnings} />
      </div>
    </div>
  );
}

function whatHappens({ container_id, status }: Instance, busy: boolean): string {
  if (busy) return 'A job works on the instance; when it has ended, this can be saved.';
  if (container_id == null) return 'Used when the instance is set up.';
  if (status === 'stopped') return 'The instance is stopped: they are tried when it starts.';
  return 'Tried in a container beside the running Odoo first. Then Odoo is away for some seconds.';
}
