// A new environment, and what it is called.
import { Modal, SegmentedControl, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { projectEnvironmentsQuery } from '@/api/projectQueries';
import { keys } from '@/api/queries';
import type { Environment, EnvironmentType, Project } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { nameProblem } from '@/lib/slug';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { descriptionProblem, freeName, TYPE_CHOICES, TYPES } from './projects';

const RULES = { name: nameProblem, description: descriptionProblem };
const FIELDS = { name: 'name', description: 'description', type: 'type' };

export interface NewEnvironmentProps {
  project: Project;
  /** The type to begin with; none: the dialog is closed. */
  adding: { add: EnvironmentType | null } | null;
  onClose: () => void;
}

export function NewEnvironmentDialog({ project, adding, onClose }: NewEnvironmentProps) {
  return (
    <Modal opened={adding !== null} onClose={onClose} title="New environment">
      {adding && <NewEnvironmentForm project={project} first={adding.add} onClose={onClose} />}
    </Modal>
  );
}

function NewEnvironmentForm({ project, first, onClose }: { project: Project; first: EnvironmentType | null; onClose: () => void }) {
  const client = useQueryClient();
  const { data: present = [] } = useQuery(projectEnvironmentsQuery(project.id));
  const hasProduction = present.some(({ type }) => type === 'production');
  const names = present.map(({ name }) => name);
  const type: EnvironmentType = first ?? (hasProduction ? 'staging' : 'production');
  const form = useForm({
    initialValues: { type, name: freeName(type, names), description: '' },
    validate: RULES,
    // What was refused is not what is asked now.
    onValuesChange: () => create.isError && create.reset(),
  });
  const create = useMutation({
    mutationFn: (values: typeof form.values) =>
      unwrap(
        api.POST('/api/projects/{project_id}/environments', {
          params: { path: { project_id: project.id } },
          body: { type: values.type, name: values.name.trim(), description: values.description.trim() },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, FIELDS));
      if (problem.code === 'name_taken') form.setFieldError('name', problem.message);
    },
    onSuccess: onClose,
    onSettled: () => {
      for (const queryKey of [keys.environments, keys.projects, keys.project(project.id)]) void client.invalidateQueries({ queryKey });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} aria-label="New environment" data-testid="environment-form" noValidate>
      <Stack gap="sm">
        <div>
          <SegmentedControl
            fullWidth
            aria-label="Type"
            data={TYPE_CHOICES.map((choice) => ({ ...choice, disabled: choice.value === 'production' && hasProduction }))}
            value={form.values.type}
            onChange={(value) => {
              const next = value as EnvironmentType;
              // A name that was typed stays.
              if (form.values.name === freeName(form.values.type, names)) form.setFieldValue('name', freeName(next, names));
              form.setFieldValue('type', next);
            }}
          />
          <Text size="xs" c="dimmed" mt={4}>
            {TYPES[form.values.type].text} The type stays as it is.
          </Text>
        </div>
        <EnvironmentFields form={form} />
        <FormError error={create.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={create.isPending}>
          Create environment
        </FormButtons>
      </Stack>
    </form>
  );
}

interface Inputs {
  getInputProps: (field: 'name' | 'description') => object;
}

function EnvironmentFields({ form }: { form: Inputs }) {
  return (
    <>
      <TextInput label="Name" autoComplete="off" data-autofocus {...form.getInputProps('name')} />
      <Textarea label="Description" autosize minRows={2} maxRows={6} {...form.getInputProps('description')} />
    </>
  );
}

export function EditEnvironmentDialog({ environment, opened, onClose }: { environment: Environment; opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Edit ${environment.name}`}>
      <EditEnvironmentForm environment={environment} onClose={onClose} />
    </Modal>
  );
}

function valuesOf({ name, description }: Environment) {
  return { name, description };
}

function EditEnvironmentForm({ environment, onClose }: { environment: Environment; onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: valuesOf(environment),
    validate: RULES,
    onValuesChange: () => save.isError && save.reset(),
  });
  const { version } = useShown(form, environment, valuesOf);
  const save = useMutation({
    mutationFn: ({ name, description }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/environments/{env_id}', {
          params: { path: { env_id: environment.id } },
          headers: { 'If-Match': `"${version}"` },
          body: touchedOf({ name: name.trim(), description: description.trim() }, form.isDirty),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, FIELDS));
      if (problem.code === 'name_taken') form.setFieldError('name', problem.message);
    },
    onSuccess: onClose,
    onSettled: () => {
      for (const queryKey of [keys.environments, keys.environment(environment.id)]) void client.invalidateQueries({ queryKey });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label="Environment" data-testid="environment-form" noValidate>
      <Stack gap="sm">
        <EnvironmentFields form={form} />
        <FormError error={save.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={save.isPending} disabled={!form.isDirty()}>
          Save
        </FormButtons>
      </Stack>
    </form>
  );
}
