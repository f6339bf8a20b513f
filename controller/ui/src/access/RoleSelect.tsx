import { Select, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { rolesQuery } from '@/api/identityQueries';
import type { ReactNode } from 'react';
import { asApiError } from '@/api/errors';
import { fits, givableRoles } from './grants';
import { useHeld } from './useHeld';

export interface RoleSelectProps {
  label: string;
  description?: string;
  value: string | null;
  onChange: (id: string | null) => void;
  error?: ReactNode;
}

/** A role for the whole organization, none beyond one's own. The owner's is handed over and not given. */
export function RoleSelect({ label, description, value, onChange, error }: RoleSelectProps) {
  const roles = useQuery(rolesQuery);
  const { everywhere } = useHeld();
  const givable = givableRoles(roles.data ?? []);
  return (
    <Select
      label={label}
      description={description}
      placeholder={roles.isPending ? 'Loading …' : 'Choose a role'}
      data={givable.map((role) => ({ value: role.id, label: role.name, disabled: !fits(role, everywhere) && role.id !== value }))}
      value={value}
      onChange={onChange}
      allowDeselect={false}
      searchable={givable.length > 8}
      error={error ?? (roles.error && asApiError(roles.error).message)}
      renderOption={({ option }) => {
        const role = givable.find(({ id }) => id === option.value);
        return (
          <div>
            <Text size="sm">{option.label}</Text>
            <Text size="xs" c="dimmed">
              {option.disabled ? 'Holds more than you do, so you cannot give it' : role?.description}
            </Text>
          </div>
        );
      }}
      data-testid="role-select"
    />
  );
}
