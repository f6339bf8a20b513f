import { Modal, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { userQuery } from '@/api/queries';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { slugOf } from '@/lib/slug';
import { organizationNameProblem, slugProblem } from './rules';

interface Props {
  opened: boolean;
  onClose: () => void;
  onMade: (slug: string) => void;
}

export function NewOrganizationDialog({ opened, onClose, onMade }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title="New organization">
      <NewOrganizationForm onClose={onClose} onMade={onMade} />
    </Modal>
  );
}

function NewOrganizationForm({ onClose, onMade }: Omit<Props, 'opened'>) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: '', slug: '' },
    validate: { name: organizationNameProblem, slug: (slug) => (slug ? slugProblem(slug) : null) },
  });
  const create = useMutation({
    mutationFn: async ({ name, slug }: typeof form.values) => {
      const made = await unwrap(api.POST('/api/orgs', { body: { name: name.trim(), slug: slug.trim() || undefined } }));
      // Only who is known to belong to it can go there.
      await client.fetchQuery({ ...userQuery, staleTime: 0 });
      return made;
    },
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', slug: 'slug' }));
      if (problem.code === 'slug_taken') form.setFieldError('slug', problem.message);
    },
    onSuccess: ({ slug }) => {
      onClose();
      onMade(slug);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} aria-label="New organization" noValidate>
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="You become its owner. It starts with a project and three environments."
          placeholder="Acme Hosting"
          data-autofocus
          autoComplete="off"
          {...form.getInputProps('name')}
        />
        <TextInput
          label="Slug"
          description="Its name in addresses and for the API."
          placeholder={slugOf(form.values.name) || 'made from the name'}
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps('slug')}
        />
        <FormError error={create.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={create.isPending}>
          Create and go there
        </FormButtons>
      </Stack>
    </form>
  );
}
