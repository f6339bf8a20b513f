import { NumberInput, Stack, Switch } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { organizationSettingsQuery } from '@/api/identityQueries';
import type { OrganizationSettings } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { useSession } from '@/shell/session';
import { retentionProblem } from './rules';

function valuesOf({ require_second_factor, audit_retention_days }: OrganizationSettings) {
  return { require_second_factor, audit_retention_days };
}

export function Policy({ settings }: { settings: OrganizationSettings }) {
  const client = useQueryClient();
  const { can } = useSession();
  const editable = can('manage:org');
  const form = useForm({ initialValues: valuesOf(settings), validate: { audit_retention_days: retentionProblem } });
  const { version, show } = useShown(form, settings, valuesOf);
  const save = useMutation({
    mutationFn: (values: typeof form.values) =>
      unwrap(
        api.PUT('/api/org/settings', {
          headers: { 'If-Match': `"${version}"` },
          body: touchedOf(values, form.isDirty),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(
        fieldMessages(problem, { audit_retention_days: 'audit_retention_days', require_second_factor: 'require_second_factor' }),
      );
      if (problem.code === 'second_factor_missing') form.setFieldError('require_second_factor', problem.message);
      if (problem.status === 412) void client.fetchQuery({ ...organizationSettingsQuery, staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      client.setQueryData(organizationSettingsQuery.queryKey, saved);
      form.resetDirty();
      show(saved);
      notifications.show({ message: 'Saved' });
    },
  });
  const asked = form.values.require_second_factor && !settings.require_second_factor;
  const shorter = form.values.audit_retention_days < settings.audit_retention_days;
  return (
    <Panel title="Rules for everybody">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Rules for everybody" noValidate>
        <Stack gap="md">
          <Switch
            label="A second factor is required"
            description="Whoever signs in without one is not let into this organization."
            disabled={!editable}
            data-testid="require-second-factor"
            {...form.getInputProps('require_second_factor', { type: 'checkbox' })}
          />
          {asked && (
            <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
              Members without a second factor lose access at once, until they have set one up. The list of members shows who
              has one.
            </Notice>
          )}
          <NumberInput
            label="The audit log is kept for"
            description="From 30 days to 10 years. Older entries are deleted."
            suffix=" days"
            allowDecimal={false}
            min={30}
            max={3650}
            clampBehavior="none"
            maw={320}
            readOnly={!editable}
            {...form.getInputProps('audit_retention_days')}
          />
          {shorter && (
            <Notice tone="warn" icon={<IconAlertTriangle size={18} />}>
              Entries older than {form.values.audit_retention_days} days are lost for good.
            </Notice>
          )}
          <FormError error={save.error} shown={form.errors} />
          {editable && (
            <FormButtons loading={save.isPending} disabled={!form.isDirty()}>
              Save
            </FormButtons>
          )}
        </Stack>
      </form>
    </Panel>
  );
}
