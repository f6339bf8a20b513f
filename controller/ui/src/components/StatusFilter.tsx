import { NativeSelect } from '@mantine/core';
import { stateOf, type State } from '@/lib/status';

export interface StatusFilterProps<K extends string> {
  value: K | undefined;
  all: readonly K[];
  states: Record<K, State>;
  onChange: (value: K | undefined) => void;
}

export function StatusFilter<K extends string>({ value, all, states, onChange }: StatusFilterProps<K>) {
  return (
    <NativeSelect
      aria-label="Status"
      value={value ?? ''}
      onChange={(event) => onChange((event.currentTarget.value || undefined) as K | undefined)}
      data={[{ value: '', label: 'Any status' }, ...all.map((key) => ({ value: key, label: stateOf(states, key).label }))]}
    />
  );
}
