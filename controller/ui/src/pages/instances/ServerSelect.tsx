import { Group, Select, Text, type SelectProps } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { serverQuery, serversQuery } from '@/api/queries';
import type { Server } from '@/api/types';
import { StatusBadge } from '@/components/StatusBadge';
import { formatBytes } from '@/lib/format';
import { serverState, stateOf } from '@/lib/status';

function free(server: Server): string {
  if (!server.usage) return 'no figures yet';
  const disk = server.usage.disk_total_bytes - server.usage.disk_used_bytes;
  return `${formatBytes(server.usage.memory_available_bytes)} memory and ${formatBytes(disk)} disk free`;
}

/** Choose a server, seeing what is free on each; searches as one types, for there may be thousands. */
export function ServerSelect(props: Omit<SelectProps, 'data' | 'value'> & { value: string | null }) {
  const [typed, setTyped] = useState('');
  const [word] = useDebouncedValue(typed, 250);
  const chosen = useQuery({ ...serverQuery(props.value ?? ''), enabled: Boolean(props.value) });
  const q = word.trim() && word !== chosen.data?.name ? word.trim() : undefined;
  const list = useQuery({ ...serversQuery({ limit: 50, q }), placeholderData: keepPreviousData });
  const servers = new Map((list.data?.data ?? []).map((server) => [server.id, server]));
  if (chosen.data) servers.set(chosen.data.id, chosen.data);
  // Where there is nothing to choose between, it is chosen already.
  const only = !q && list.data?.data.length === 1 && list.data.data[0]?.schedulable ? list.data.data[0].id : null;
  const untouched = useRef(true);
  const { value, onChange } = props;
  useEffect(() => {
    if (value) untouched.current = false;
    else if (only && untouched.current) {
      untouched.current = false;
      onChange?.(only, { value: only, label: '' });
    }
  }, [only, value, onChange]);
  return (
    <Select
      {...props}
      searchable
      onSearchChange={setTyped}
      // The controller has searched already.
      filter={({ options }) => options}
      nothingFoundMessage={list.isPending ? 'Looking …' : 'No server'}
      data={[...servers.values()].map((server) => ({
        value: server.id,
        label: server.name,
        disabled: !server.schedulable || server.status === 'removing' || server.status === 'locked',
      }))}
      renderOption={({ option }) => {
        const server = servers.get(option.value);
        if (!server) return option.label;
        return (
          <Group justify="space-between" w="100%" wrap="nowrap" data-testid="server-option">
            <div>
              <Text size="sm" fw={500}>
                {server.name}
              </Text>
              <Text size="xs" c="dimmed">
                {server.schedulable ? free(server) : 'takes no new instances'}
              </Text>
            </div>
            <StatusBadge state={stateOf(serverState, server.status)} />
          </Group>
        );
      }}
    />
  );
}
