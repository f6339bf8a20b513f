import { Checkbox, Modal, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import { environmentTypeValues, type EnvironmentType } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { PROJECT_FIELDS, PROJECT_RULES, ProjectFields } from './ProjectFields';
import { projectBody, projectValues, TYPE_CHOICES, TYPES } from './projects';

export function NewProjectDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New project">
      <NewProjectForm onClose={onClose} />
    </Modal>
  );
}

function NewProjectForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { ...projectValues(null), environments: [...environmentTypeValues] as EnvironmentType[] },
    validate: PROJECT_RULES,
    // What was refused is not what is asked now.
    onValuesChange: () => create.isError && create.reset(),
  });
  const create = useMutation({
    mutationFn: ({ environments, ...values }: typeof form.values) =>
      unwrap(api.POST('/api/projects', { body: { ...projectBody(values), environments } })),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { ...PROJECT_FIELDS, environments: 'environments' }));
      if (problem.code === 'name_taken') form.setFieldError('name', problem.message);
    },
    onSuccess: (made) => {
      client.setQueryData(keys.project(made.id), made);
      void client.invalidateQueries({ queryKey: keys.projects });
      void client.invalidateQueries({ queryKey: keys.environments });
      void navigate({ to: '/projects/$id', params: { id: made.id } });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} aria-label="New project" data-testid="project-form" noValidate>
      <Stack gap="sm">
        <ProjectFields form={form} />
        <Checkbox.Group
          label="It starts with"
          description="More can be made at any time."
          {...form.getInputProps('environments')}
        >
          <Stack gap={8} mt={6}>
            {TYPE_CHOICES.map(({ value, label }) => (
              <Checkbox key={value} value={value} label={label} description={TYPES[value].text} data-testid={`starts-with-${value}`} />
            ))}
          </Stack>
        </Checkbox.Group>
        <FormError error={create.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={create.isPending}>
          Create project
        </FormButtons>
      </Stack>
    </form>
  );
}
