import { Autocomplete, Group, NativeSelect, Select, TextInput, type ComboboxData } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { adminUsersQuery } from '@/api/adminQueries';
import { allApiKeysQuery, allMembersQuery } from '@/api/identityQueries';
import type { AuditEntry } from '@/api/types';
import { FilterPill } from '@/components/FilterPill';
import { SearchInput } from '@/components/SearchInput';
import { humanize } from '@/lib/format';
import { useSession } from '@/shell/session';
import { PERIODS, RESOURCE_TYPES, timeProblem, type AuditSearch } from './filter';

export interface FiltersProps {
  search: AuditSearch;
  onChange: (change: AuditSearch) => void;
  /** What is shown, for names and suggestions. */
  entries: AuditEntry[];
  ofPlatform: boolean;
}

export function Filters({ search, onChange, entries, ofPlatform }: FiltersProps) {
  const subject = entries.find((entry) => entry.subject.id === search.resource_id)?.subject;
  return (
    <Group p="sm" gap="xs" align="flex-start">
      <SearchInput label="Search the audit log" value={search.q ?? ''} onSearch={(q) => onChange({ q: q || undefined })} />
      {ofPlatform ? (
        <PersonSelect search={search} onChange={onChange} entries={entries} />
      ) : (
        <ActorSelect search={search} onChange={onChange} entries={entries} />
      )}
      <ActionInput search={search} onChange={onChange} entries={entries} />
      <NativeSelect
        aria-label="Kind of object"
        value={search.resource_type ?? ''}
        data={[{ value: '', label: 'Any object' }, ...RESOURCE_TYPES.map((type) => ({ value: type, label: humanize(type) }))]}
        onChange={(event) => onChange({ resource_type: event.currentTarget.value || undefined, resource_id: undefined })}
      />
      <Period search={search} onChange={onChange} />
      {search.resource_id && (
        <FilterPill label="On" onRemove={() => onChange({ resource_id: undefined })}>
          {subject?.name ?? search.resource_id}
        </FilterPill>
      )}
      {search.address && (
        <FilterPill label="From" onRemove={() => onChange({ address: undefined })}>
          {search.address}
        </FilterPill>
      )}
      {search.organization_id && (
        <FilterPill label="Organization" onRemove={() => onChange({ organization_id: undefined })}>
          {search.organization_id}
        </FilterPill>
      )}
    </Group>
  );
}

type PartProps = Pick<FiltersProps, 'search' | 'onChange' | 'entries'>;

/** Who is filtered by stays readable, also when no list names them any more. */
function withChosen(data: { value: string; label: string }[], chosen: string | undefined, entries: AuditEntry[]) {
  if (!chosen || data.some(({ value }) => value === chosen)) return data;
  const actor = entries.find((entry) => entry.actor.id === chosen)?.actor;
  return [...data, { value: chosen, label: actor?.name ?? chosen }];
}

function ActorSelect({ search, onChange, entries }: PartProps) {
  const { can } = useSession();
  const members = useQuery({ ...allMembersQuery, enabled: can('view:members'), retry: false });
  const apiKeys = useQuery({ ...allApiKeysQuery, enabled: can('view:api-keys'), retry: false });
  const people = members.data?.map(({ id, name }) => ({ value: id, label: name })) ?? [];
  const robots = apiKeys.data?.map(({ id, name }) => ({ value: id, label: name })) ?? [];
  const others = withChosen([...people, ...robots], search.actor, entries).slice(people.length + robots.length);
  const data: ComboboxData = [
    { group: 'People', items: people },
    { group: 'API keys', items: robots },
    { group: 'Others', items: others },
  ].filter(({ items }) => items.length > 0);
  return (
    <Select
      aria-label="Who"
      placeholder="Anybody"
      data={data}
      value={search.actor ?? null}
      onChange={(actor) => onChange({ actor: actor ?? undefined })}
      searchable
      clearable
      nothingFoundMessage="Nobody of that name"
      w={190}
    />
  );
}

/** Everybody of the platform is found by searching. */
function PersonSelect({ search, onChange, entries }: PartProps) {
  const [q, setQ] = useState('');
  const look = useDebouncedCallback(setQ, 250);
  const found = useQuery({ ...adminUsersQuery({ q: q || undefined, limit: 20 }), placeholderData: keepPreviousData });
  const people = found.data?.data.map(({ id, name, email }) => ({ value: id, label: `${name} · ${email}` })) ?? [];
  return (
    <Select
      aria-label="Who"
      placeholder="Anybody"
      data={withChosen(people, search.actor, entries)}
      // The controller has searched already.
      filter={({ options }) => options}
      value={search.actor ?? null}
      onChange={(actor) => onChange({ actor: actor ?? undefined })}
      onSearchChange={look}
      searchable
      clearable
      nothingFoundMessage="Nobody of that name"
      w={230}
    />
  );
}

function ActionInput({ search, onChange, entries }: PartProps) {
  const [text, setText] = useState(search.action ?? '');
  useEffect(() => setText(search.action ?? ''), [search.action]);
  const known = [...new Set(entries.map((entry) => entry.action))].sort();
  const apply = (action: string) => onChange({ action: action.trim() || undefined });
  return (
    <Autocomplete
      aria-label="Action"
      placeholder="Any action"
      data={known}
      value={text}
      onChange={(next) => {
        setText(next);
        // Chosen, or emptied; what is being typed counts with Enter.
        if (next === '' || known.includes(next)) apply(next);
      }}
      onBlur={() => apply(text)}
      onKeyDown={(event) => event.key === 'Enter' && apply(text)}
      clearable
      w={190}
      spellCheck={false}
    />
  );
}

function Period({ search, onChange }: Pick<FiltersProps, 'search' | 'onChange'>) {
  const problem = timeProblem(search);
  return (
    <>
      <NativeSelect
        aria-label="When"
        value={search.period ?? ''}
        data={PERIODS}
        onChange={(event) => onChange({ period: event.currentTarget.value || undefined, from: undefined, to: undefined })}
      />
      {search.period === 'custom' && (
        <>
          <TextInput
            type="datetime-local"
            aria-label="From"
            value={search.from ?? ''}
            onChange={(event) => onChange({ from: event.currentTarget.value || undefined })}
          />
          <TextInput
            type="datetime-local"
            aria-label="To"
            value={search.to ?? ''}
            error={problem}
            onChange={(event) => onChange({ to: event.currentTarget.value || undefined })}
          />
        </>
      )}
    </>
  );
}
