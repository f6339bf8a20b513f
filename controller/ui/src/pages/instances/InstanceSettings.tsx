import { Stack, TagsInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { instanceQuery, keys } from '@/api/queries';
import type { Instance } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { labelsFromTags, tagsFromLabels } from '@/lib/labels';
import { nameProblem } from '@/lib/slug';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { rules } from './newInstance';
import { SizePicker } from './SizePicker';

function valuesOf(instance: Instance) {
  return { name: instance.name, labels: tagsFromLabels(instance.labels), limits: instance.limits };
}

export function InstanceSettings({ instance }: { instance: Instance }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: valuesOf(instance),
    validate: { name: nameProblem, limits: rules.limits },
  });
  const { version, show } = useShown(form, instance, valuesOf);
  const save = useMutation({
    mutationFn: ({ name, labels, limits }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/instances/{id}', {
          params: { path: { id: instance.id } },
          headers: { 'If-Match': `"${version}"` },
          body: touchedOf({ name: name.trim(), labels: labelsFromTags(labels), limits }, form.isDirty),
        }),
      ),
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', labels: 'labels', limits: 'limits' }));
      if (problem.status === 412) void client.fetchQuery({ ...instanceQuery(instance.id), staleTime: 0 }).then(show);
    },
    onSuccess: (saved) => {
      client.setQueryData(keys.instance(instance.id), saved);
      void client.invalidateQueries({ queryKey: keys.instances });
      form.resetDirty();
      show(saved);
      notifications.show({ message: 'Saved' });
    },
  });
  const resized = form.isDirty('limits');
  return (
    <Stack maw={720}>
      <Panel title="General">
        <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate aria-label="Settings of the instance">
          <Stack gap="sm">
            <TextInput
              label="Name"
              description={`It stays ${instance.slug} in addresses and containers`}
              {...form.getInputProps('name')}
            />
            <TagsInput label="Labels" description="Such as customer=acme" {...form.getInputProps('labels')} />
            <SizePicker {...form.getInputProps('limits')} value={form.values.limits} />
            {resized && (
              <Notice tone="warn">
                Another size makes the container anew: Odoo is away for some seconds.
              </Notice>
            )}
            <FormButtons loading={save.isPending} disabled={!form.isDirty()}>
              Save
            </FormButtons>
          </Stack>
        </form>
      </Panel>
    </Stack>
  );
}
