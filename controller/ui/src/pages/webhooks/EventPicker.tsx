import { Checkbox, Group, Radio, ScrollArea, Stack, Text, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { eventTypesQuery } from '@/api/signalsQueries';
import { ErrorState, LoadingRows } from '@/components/States';
import { plural } from '@/lib/format';
import { ALL, groupsOf, type EventGroup } from './webhooks';
import classes from './webhooks.module.css';

export interface EventPickerProps {
  value: string[];
  onChange: (events: string[]) => void;
  error?: ReactNode;
}

/** Everything, or types from the catalogue. */
export function EventPicker({ value, onChange, error }: EventPickerProps) {
  const everything = value.includes(ALL);
  // What was chosen before somebody looked at "everything".
  const [chosen, setChosen] = useState(everything ? [] : value);
  const choose = (events: string[]) => {
    setChosen(events);
    onChange(events);
  };
  return (
    <Stack gap="sm">
      <Radio.Group
        label="Events"
        value={everything ? 'all' : 'some'}
        onChange={(next) => onChange(next === 'all' ? [ALL] : chosen)}
        error={error}
      >
        <Stack gap={8} mt={6}>
          <Radio value="some" label={`The chosen ones${everything ? '' : ` (${value.length})`}`} />
          <Radio value="all" label="Everything, also what later versions add" data-testid="all-events" />
        </Stack>
      </Radio.Group>
      {!everything && <Catalogue value={value} onChange={choose} />}
    </Stack>
  );
}

function Catalogue({ value, onChange }: { value: string[]; onChange: (events: string[]) => void }) {
  const types = useQuery(eventTypesQuery);
  const [search, setSearch] = useState('');
  if (types.isPending) return <LoadingRows rows={4} />;
  if (types.isError) return <ErrorState error={types.error} onRetry={() => void types.refetch()} />;
  const groups = groupsOf(types.data, search);
  const held = new Set(value);
  const toggle = (names: string[], on: boolean) => {
    const rest = value.filter((name) => !names.includes(name));
    onChange((on ? [...rest, ...names] : rest).sort());
  };
  return (
    <div className={classes.picker}>
      <div className={classes.pickerHead}>
        <TextInput
          type="search"
          size="xs"
          leftSection={<IconSearch size={14} />}
          placeholder="Search events"
          aria-label="Search events"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          style={{ flex: 1 }}
        />
        <Text size="xs" c="dimmed" role="status">
          {plural(value.length, 'event')} chosen
        </Text>
      </div>
      <ScrollArea.Autosize mah={380} type="auto">
        {groups.length === 0 && (
          <Text size="sm" c="dimmed" p="md">
            No event matches
          </Text>
        )}
        {groups.map((group) => (
          <GroupOfEvents key={group.noun} group={group} held={held} onToggle={toggle} />
        ))}
      </ScrollArea.Autosize>
    </div>
  );
}

interface GroupProps {
  group: EventGroup;
  held: Set<string>;
  onToggle: (names: string[], on: boolean) => void;
}

function GroupOfEvents({ group, held, onToggle }: GroupProps) {
  const names = group.types.map((type) => type.type);
  const count = names.filter((name) => held.has(name)).length;
  return (
    <fieldset className={classes.pickerGroup}>
      <legend className="visually-hidden">{group.label}</legend>
      <Checkbox
        size="xs"
        label={
          <Group gap={6}>
            <Text size="sm" fw={600}>
              {group.label}
            </Text>
            <Text size="xs" c="dimmed" className="numbers">
              {count} of {names.length}
            </Text>
          </Group>
        }
        aria-label={`All of ${group.label}`}
        checked={count === names.length}
        indeterminate={count > 0 && count < names.length}
        onChange={(event) => onToggle(names, event.currentTarget.checked)}
      />
      <div className={classes.pickerTypes}>
        {group.types.map(({ type, description }) => (
          <Checkbox
            key={type}
            size="xs"
            label={
              <Text size="sm" ff="monospace" fz={12.5}>
                {type}
              </Text>
            }
            description={description}
            checked={held.has(type)}
            onChange={(event) => onToggle([type], event.currentTarget.checked)}
            data-event={type}
          />
        ))}
      </div>
    </fieldset>
  );
}
