import { Button, Group, Input, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import type { ReactNode } from 'react';
import { useHeld } from '@/access/useHeld';
import { PermissionMatrix } from '@/access/PermissionMatrix';
import { changesOf } from '@/access/permissions';
import accessClasses from '@/access/access.module.css';
import { asApiError, fieldMessages } from '@/api/errors';
import { FormError } from '@/components/FormError';
import { Panel } from '@/components/Panel';
import { plural } from '@/lib/format';
import { nameProblem } from '@/lib/slug';

export interface RoleValues {
  name: string;
  description: string;
  permissions: string[];
}

export interface RoleFormProps {
  /** What it is now. */
  saved: RoleValues;
  isNew?: boolean;
  busy: boolean;
  error: unknown;
  onSave: (values: RoleValues) => void;
  onDiscard?: () => void;
  /** Above the buttons: whom the change concerns. */
  notice?: ReactNode;
}

/** Give it a `key` of the version that it shows. */
export function RoleForm({ saved, isNew, busy, error, onSave, onDiscard, notice }: RoleFormProps) {
  const { everywhere } = useHeld();
  const form = useForm({
    initialValues: saved,
    validate: {
      name: nameProblem,
      permissions: (chosen) => (chosen.length > 0 ? null : 'Choose at least one permission'),
    },
  });
  const problem = error ? asApiError(error) : null;
  const told = problem ? fieldMessages(problem, { name: 'name', description: 'description', permissions: 'permissions' }) : {};
  if (problem?.code === 'name_taken') told.name = problem.message;
  const { added, removed } = changesOf(saved.permissions, form.values.permissions);
  const dirty =
    added.length + removed.length > 0 || form.values.name !== saved.name || form.values.description !== saved.description;
  return (
    <form
      onSubmit={form.onSubmit((values) =>
        onSave({ ...values, name: values.name.trim(), description: values.description.trim() }),
      )}
      aria-label="Role"
      noValidate
    >
      <Stack gap="md">
        <Panel title="Role">
          <Stack gap="sm" maw={560}>
            <TextInput
              label="Name"
              placeholder="support"
              autoFocus={isNew}
              autoComplete="off"
              {...form.getInputProps('name')}
              error={form.errors.name ?? told.name}
            />
            <Textarea
              label="Description"
              placeholder="What somebody with this role is here for"
              autosize
              minRows={1}
              {...form.getInputProps('description')}
              error={told.description}
            />
          </Stack>
        </Panel>
        <Panel title="Permissions">
          <Input.Wrapper error={form.errors.permissions ?? told.permissions}>
            <PermissionMatrix
              label="Permissions of the role"
              value={form.values.permissions}
              onChange={(permissions) => form.setFieldValue('permissions', permissions)}
              held={everywhere}
            />
          </Input.Wrapper>
        </Panel>
      </Stack>
      <div className={accessClasses.saveBar}>
        <div>
          <Text size="sm" data-testid="role-changes">
            {isNew
              ? plural(form.values.permissions.length, 'permission')
              : dirty
                ? [added.length && `${added.length} added`, removed.length && `${removed.length} taken away`].filter(Boolean).join(', ') || 'Changed'
                : 'Nothing changed'}
          </Text>
          {dirty && notice && (
            <Text size="xs" c="dimmed">
              {notice}
            </Text>
          )}
          <FormError error={error} shown={told} />
        </div>
        <Group gap="xs">
          {onDiscard && (
            <Button
              variant="default"
              disabled={!isNew && !dirty}
              onClick={() => {
                form.setValues(saved);
                onDiscard();
              }}
            >
              {isNew ? 'Cancel' : 'Discard'}
            </Button>
          )}
          <Button type="submit" loading={busy} disabled={!dirty} data-testid="save-role">
            {isNew ? 'Create the role' : 'Save the role'}
          </Button>
        </Group>
      </div>
    </form>
  );
}
