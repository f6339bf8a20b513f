import { Group, NativeSelect, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { tablesQuery, type TableSort } from '@/api/databaseQueries';
import type { TableInfo } from '@/api/types';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { TimeAgo } from '@/components/Time';
import { formatBytes, formatCount } from '@/lib/format';

const SORTS: { value: TableSort; label: string }[] = [
  { value: 'size', label: 'Largest first' },
  { value: 'dead_rows', label: 'Most dead rows first' },
  { value: 'rows', label: 'Most rows first' },
  { value: 'last_vacuum', label: 'Longest not cleaned first' },
  { value: 'name', label: 'By name' },
];

/** Tables, with what they take and when they were last cleaned. */
export function DatabaseTables({ instanceId }: { instanceId: string }) {
  const [q, setQ] = useState('');
  const [sort, setSort] = useState<TableSort>('size');
  const paging = usePaging(`${q}|${sort}`);
  const tables = useQuery(tablesQuery(instanceId, { ...paging.query, sort, q: q || undefined }, true));
  return (
    <Panel
      title="Tables"
      flush
      aside={
        <Group gap="xs">
          <NativeSelect size="sm" aria-label="Order" value={sort} data={SORTS} onChange={(event) => setSort(event.currentTarget.value as TableSort)} />
          <SearchInput value={q} onSearch={setQ} label="Search tables" />
        </Group>
      }
    >
      <PagedList
        label="Tables"
        query={tables}
        paging={paging}
        noun="table"
        columns={[
          { label: 'Table' },
          { label: 'Size' },
          { label: 'Rows', from: 'xs' },
          { label: 'Dead rows', from: 'sm' },
          { label: 'Last cleaned', from: 'md' },
        ]}
        empty={
          <Text size="sm" c="dimmed" p="md">
            {q ? 'No table is called that.' : 'There are no tables.'}
          </Text>
        }
      >
        {(table) => <Row key={`${table.schema}.${table.name}`} table={table} />}
      </PagedList>
    </Panel>
  );
}

function Row({ table }: { table: TableInfo }) {
  const cleaned = [table.last_vacuum, table.last_autovacuum].filter(Boolean).sort().pop();
  return (
    <Table.Tr>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>{table.schema === 'public' ? table.name : `${table.schema}.${table.name}`}</Table.Td>
      <Table.Td className="numbers" title={`Indexes: ${formatBytes(table.index_bytes)}`}>
        {formatBytes(table.total_bytes)}
      </Table.Td>
      <Table.Td visibleFrom="xs" className="numbers">
        {formatCount(table.live_rows)}
      </Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        {formatCount(table.dead_rows)}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={cleaned} />
      </Table.Td>
    </Table.Tr>
  );
}
