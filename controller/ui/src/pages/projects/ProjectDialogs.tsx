// A project's own dialogs: what it says of itself, putting it away, its end.
import { Modal, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconHandStop } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Project } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { touchedOf, useShown } from '@/pages/settingsForm';
import { PROJECT_FIELDS, PROJECT_RULES, ProjectFields } from './ProjectFields';
import { projectBody, projectValues } from './projects';
import { useProjectChange } from './useProjectChange';

interface DialogProps {
  project: Project;
  opened: boolean;
  onClose: () => void;
}

export function EditProjectDialog({ project, opened, onClose }: DialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Edit ${project.name}`}>
      <EditProjectForm project={project} onClose={onClose} />
    </Modal>
  );
}

function EditProjectForm({ project, onClose }: Omit<DialogProps, 'opened'>) {
  const form = useForm({
    initialValues: projectValues(project),
    validate: PROJECT_RULES,
    onValuesChange: () => save.isError && save.reset(),
  });
  const { version } = useShown(form, project, projectValues);
  const save = useProjectChange(project, { version, onSaved: onClose });
  const submit = (values: typeof form.values) =>
    save.mutate(
      touchedOf(projectBody(values), (field) => form.isDirty(field === 'odoo_version' ? 'version' : field)),
      {
        onError: (error) => {
          const problem = asApiError(error);
          form.setErrors(fieldMessages(problem, PROJECT_FIELDS));
          if (problem.code === 'name_taken') form.setFieldError('name', problem.message);
        },
      },
    );
  return (
    <form onSubmit={form.onSubmit(submit)} aria-label="Project" data-testid="project-form" noValidate>
      <Stack gap="sm">
        <ProjectFields form={form} />
        <FormError error={save.error} shown={form.errors} />
        <FormButtons onCancel={onClose} loading={save.isPending} disabled={!form.isDirty()}>
          Save
        </FormButtons>
      </Stack>
    </form>
  );
}

export function ArchiveDialog({ project, opened, onClose }: DialogProps) {
  const archived = project.archived_at != null;
  const change = useProjectChange(project, {
    onSaved: () => {
      onClose();
      notifications.show({ message: `${project.name} is ${archived ? 'back in the list' : 'archived'}` });
    },
  });
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title={archived ? `Restore ${project.name}` : `Archive ${project.name}`}
      action={archived ? 'Restore' : 'Archive'}
      harmless={archived}
      run={change}
      onConfirm={() => change.mutate({ archived: !archived })}
    >
      {archived
        ? 'It stands in the list again, and instances can be made in it.'
        : 'It leaves the list, and nothing new is made in it until it is restored. Only a project without instances can be archived.'}
    </Confirm>
  );
}

function remove(project: Project, dry_run: boolean) {
  return unwrap(
    api.DELETE('/api/projects/{project_id}', {
      params: { path: { project_id: project.id }, query: dry_run ? { dry_run } : {} },
      headers: { 'If-Match': `"${project.version}"` },
    }),
  );
}

/** Asks the controller first what is in the way. */
export function DeleteProjectDialog({ project, opened, onClose }: DialogProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const check = useQuery({
    queryKey: [...keys.project(project.id), 'removal', project.version],
    queryFn: () => remove(project, true),
    enabled: opened,
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const run = useMutation({
    mutationFn: () => remove(project, false),
    meta: { showsError: true },
    onSuccess: async () => {
      notifications.show({ message: `${project.name} is deleted` });
      await navigate({ to: '/projects' });
      client.removeQueries({ queryKey: keys.project(project.id) });
      void client.invalidateQueries({ queryKey: keys.projects });
    },
    onError: () => void client.invalidateQueries({ queryKey: keys.project(project.id) }),
  });
  return (
    <Confirm
      opened={opened}
      onClose={onClose}
      title={`Delete ${project.name}`}
      action="Delete"
      keep="Keep it"
      impossible={!check.isSuccess}
      run={run}
      onConfirm={() => run.mutate()}
    >
      {check.error ? (
        <Notice tone="warn" icon={<IconHandStop size={18} />} title="Not yet" role="alert" testId="delete-blocked">
          {asApiError(check.error).message}
        </Notice>
      ) : (
        'The project goes with its name and description. Roles and keys that are limited to it count nowhere any more.'
      )}
    </Confirm>
  );
}
