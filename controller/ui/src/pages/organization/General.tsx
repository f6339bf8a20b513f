import { Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconInfoCircle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { organizationQuery } from '@/api/identityQueries';
import { userQuery } from '@/api/queries';
import { setCurrentOrganization } from '@/api/session';
import type { Organization } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { useSession } from '@/shell/session';
import { logoProblem, organizationNameProblem, slugProblem } from './rules';

function valuesOf({ name, slug, logo_url }: Organization) {
  return { name, slug, logo_url: logo_url ?? '' };
}

export function General({ organization }: { organization: Organization }) {
  const client = useQueryClient();
  const { can, switchTo } = useSession();
  const form = useForm({
    initialValues: valuesOf(organization),
    validate: { name: organizationNameProblem, slug: slugProblem, logo_url: logoProblem },
  });
  const { version, show } = useShown(form, organization, valuesOf);
  const save = useMutation({
    mutationFn: ({ name, slug, logo_url }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/org', {
          headers: { 'If-Match': `"${version}"` },
          body: touchedOf({ name: name.trim(), slug: slug.trim(), logo_url: logo_url.trim() || null }, form.isDirty),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', slug: 'slug', logo_url: 'logo_url' }));
      if (problem.code === 'slug_taken') form.setFieldError('slug', problem.message);
      if (problem.status === 412) void client.fetchQuery({ ...organizationQuery, staleTime: 0 }).then(show);
    },
    onSuccess: async (saved) => {
      client.setQueryData(organizationQuery.queryKey, saved);
      form.resetDirty();
      show(saved);
      // From here on requests name it by its new slug.
      if (saved.slug !== organization.slug) setCurrentOrganization(saved.slug);
      await client.fetchQuery({ ...userQuery, staleTime: 0 });
      if (saved.slug !== organization.slug) switchTo(saved.slug);
      notifications.show({ message: 'Saved' });
    },
  });
  const editable = can('manage:org');
  const newSlug = form.isDirty('slug') && !slugProblem(form.values.slug);
  return (
    <Panel title="General">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="General" noValidate>
        <Stack gap="sm">
          <TextInput label="Name" readOnly={!editable} {...form.getInputProps('name')} />
          <TextInput
            label="Slug"
            description="Its name in addresses and in the header X-Org-Slug."
            spellCheck={false}
            readOnly={!editable}
            {...form.getInputProps('slug')}
          />
          {newSlug && (
            <Notice tone="busy" icon={<IconInfoCircle size={18} />} testId="slug-notice">
              <b>{organization.slug}</b> answers for another 90 days, so scripts have time to learn the new one. Then it is
              free for others.
            </Notice>
          )}
          <TextInput
            label="Logo"
            description="Address of a picture, beginning with https://. Leave it empty for none."
            placeholder="https://example.com/logo.png"
            inputMode="url"
            spellCheck={false}
            readOnly={!editable}
            {...form.getInputProps('logo_url')}
          />
          <FormError error={save.error} shown={form.errors} />
          {editable ? (
            <FormButtons loading={save.isPending} disabled={!form.isDirty()} data-testid="save-general">
              Save
            </FormButtons>
          ) : (
            <Text size="xs" c="dimmed">
              Changing this takes the permission to manage the organization.
            </Text>
          )}
        </Stack>
      </form>
    </Panel>
  );
}
