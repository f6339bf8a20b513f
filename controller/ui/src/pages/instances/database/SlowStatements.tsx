import { Table, Text } from '@mantine/core';
import type { StatementCost } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { Panel } from '@/components/Panel';
import { formatCount, formatDuration } from '@/lib/format';

const SHOWN = 10;

/** What PostgreSQL spends its time on, where it keeps count of that. */
export function SlowStatements({ statements }: { statements: StatementCost[] | null }) {
  if (!statements) {
    return (
      <Text size="xs" c="dimmed" px="md">
        PostgreSQL does not keep count of its statements. To see the slow ones, set shared_preload_libraries to pg_stat_statements below.
      </Text>
    );
  }
  return (
    <Panel title="Slow statements" flush>
      {statements.length === 0 ? (
        <Text size="sm" c="dimmed" p="md">
          None yet.
        </Text>
      ) : (
        <ListTable
          label="Slow statements"
          columns={[{ label: 'Statement' }, { label: 'Calls', from: 'xs' }, { label: 'Mean' }, { label: 'In all' }]}
        >
          {statements.slice(0, SHOWN).map((one) => (
            <Table.Tr key={one.statement}>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>
                <code title={one.statement}>{one.statement.slice(0, 160)}</code>
              </Table.Td>
              <Table.Td visibleFrom="xs" className="numbers">
                {formatCount(one.calls)}
              </Table.Td>
              <Table.Td className="numbers">{formatDuration(one.mean_ms)}</Table.Td>
              <Table.Td className="numbers">{formatDuration(one.total_ms)}</Table.Td>
            </Table.Tr>
          ))}
        </ListTable>
      )}
    </Panel>
  );
}
