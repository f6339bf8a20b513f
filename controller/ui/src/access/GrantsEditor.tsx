import { ActionIcon, Button, Select, Stack, Text, Tooltip } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { rolesQuery } from '@/api/identityQueries';
import type { Grant, Role } from '@/api/types';
import { ErrorState, LoadingRows } from '@/components/States';
import { fits, givableRoles, type RoleInScope } from './grants';
import classes from './access.module.css';
import { useHeld } from './useHeld';
import { ScopePicker } from './ScopePicker';
import { WHOLE } from './scope';

export interface GrantDraft extends RoleInScope {
  key: string;
  /** Name of the role, where it was read. */
  role?: string;
}

let drafts = 0;

export function draftsOf(grants: Grant[]): GrantDraft[] {
  return grants.map(({ role_id, role, scope }) => ({ key: `d${(drafts += 1)}`, role_id, role, scope }));
}

export function inputsOf(grants: GrantDraft[]): RoleInScope[] {
  return grants.map(({ role_id, scope }) => ({ role_id, scope }));
}

export interface GrantsEditorProps {
  value: GrantDraft[];
  onChange: (value: GrantDraft[]) => void;
  /** Problems by row, such as the controller told them. */
  errors?: Record<number, string>;
  disabled?: boolean;
}

/** Roles, each in its scope. */
export function GrantsEditor({ value, onChange, errors = {}, disabled }: GrantsEditorProps) {
  const roles = useQuery(rolesQuery);
  const held = useHeld();
  if (roles.isPending) return <LoadingRows rows={2} />;
  if (roles.isError) return <ErrorState error={roles.error} onRetry={() => void roles.refetch()} />;
  const givable = givableRoles(roles.data);
  const change = (index: number, part: Partial<GrantDraft>) =>
    onChange(value.map((grant, i) => (i === index ? { ...grant, ...part } : grant)));
  return (
    <Stack gap="xs">
      {value.length === 0 && (
        <Text size="sm" c="dimmed">
          No role: may do nothing here.
        </Text>
      )}
      <div>
        {value.map((grant, index) => (
          <div key={grant.key} className={classes.grant} data-testid="grant-row">
            <div>
              <Select
                aria-label={`Role ${index + 1}`}
                placeholder="Choose a role"
                data={optionsOf(givable, grant, held.at(grant.scope))}
                value={grant.role_id || null}
                onChange={(role_id) => change(index, { role_id: role_id ?? '' })}
                allowDeselect={false}
                searchable={givable.length > 8}
                disabled={disabled}
                error={errors[index]}
                data-testid="grant-role"
              />
            </div>
            <div className={classes.grantScope}>
              <ScopePicker
                label={`Scope of role ${index + 1}`}
                value={grant.scope}
                onChange={(scope) => change(index, { scope })}
              />
            </div>
            <Tooltip label="Take this role away">
              <ActionIcon
                color="red"
                size={34}
                aria-label={`Take role ${index + 1} away`}
                disabled={disabled}
                onClick={() => onChange(value.filter((_, i) => i !== index))}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </Tooltip>
          </div>
        ))}
      </div>
      <div>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={14} />}
          disabled={disabled}
          onClick={() => onChange([...value, { key: `d${(drafts += 1)}`, role_id: '', scope: { ...WHOLE } }])}
          data-testid="add-grant"
        >
          Add a role
        </Button>
      </div>
    </Stack>
  );
}

/** Roles that hold more than the giver are shown and cannot be chosen. */
function optionsOf(roles: Role[], grant: GrantDraft, held: ReadonlySet<string>) {
  return roles.map((role) => {
    const tooMuch = !fits(role, held) && role.id !== grant.role_id;
    return { value: role.id, label: tooMuch ? `${role.name} (more than you hold there)` : role.name, disabled: tooMuch };
  });
}
