import { Table } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './components.module.css';

export interface Column {
  label: string;
  /** The narrowest screen that shows it. */
  from?: 'xs' | 'sm' | 'md' | 'lg';
  hiddenLabel?: boolean;
}

/** A table's frame; the rows are given as `Table.Tr`. */
export function ListTable({ label, columns, children }: { label: string; columns: Column[]; children: ReactNode }) {
  return (
    <Table.ScrollContainer minWidth={0}>
      <Table className={classes.table} aria-label={label}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column.label} visibleFrom={column.from} aria-label={column.hiddenLabel ? column.label : undefined}>
                {column.hiddenLabel ? null : column.label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
