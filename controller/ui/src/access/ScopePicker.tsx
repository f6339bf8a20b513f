import { Group, NativeSelect, Select } from '@mantine/core';
import { scopeKindValues, type ScopeKind, type ScopeRef } from '@/api/types';
import { SCOPE_TITLES } from './scope';
import { useScopes } from './useScopes';

export interface ScopePickerProps {
  value: ScopeRef;
  onChange: (scope: ScopeRef) => void;
  /** Names the fields for whoever does not see them. */
  label: string;
  visibleLabel?: string;
  error?: string | null;
}

/** Where something counts: the whole organization, or one project, environment or server of it. */
export function ScopePicker({ value, onChange, label, visibleLabel, error }: ScopePickerProps) {
  const { choices, isPending } = useScopes();
  const kind = value.type;
  return (
    <Group gap="xs" align="flex-end" wrap="wrap">
      <NativeSelect
        label={visibleLabel}
        aria-label={visibleLabel ? undefined : `${label}: kind`}
        value={kind}
        data={scopeKindValues.map((type) => ({ value: type, label: SCOPE_TITLES[type] }))}
        onChange={(event) => onChange({ type: event.currentTarget.value as ScopeKind, id: null })}
        flex="1 1 150px"
        data-testid="scope-kind"
      />
      {kind !== 'organization' && (
        <Select
          aria-label={`${label}: ${SCOPE_TITLES[kind].toLowerCase()}`}
          placeholder={isPending ? 'Loading …' : `Choose the ${SCOPE_TITLES[kind].toLowerCase()}`}
          searchable
          limit={60}
          data={choices[kind]}
          value={value.id ?? null}
          onChange={(id) => onChange({ type: kind, id })}
          nothingFoundMessage="None matches"
          error={error}
          flex="2 1 190px"
          data-testid="scope-object"
        />
      )}
    </Group>
  );
}
