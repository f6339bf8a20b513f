import { Group, Table } from '@mantine/core';
import type { MouseEvent, ReactNode } from 'react';
import classes from './components.module.css';

export interface Column {
  label: string;
  /** The narrowest screen that shows it. */
  from?: 'xs' | 'sm' | 'md' | 'lg';
  hiddenLabel?: boolean;
  /** Before the label: what chooses all rows. */
  before?: ReactNode;
}

/** A click anywhere on a row follows the link in its first cell, or what opens the row, as its highlight promises. */
function followRow(event: MouseEvent<HTMLElement>) {
  const target = event.target as HTMLElement;
  // Only what is rendered inside the table: a menu's items bubble through React, not through the document.
  if (!event.currentTarget.contains(target) || target.closest('a, button, input, label, [role="menuitem"]')) return;
  if (window.getSelection()?.toString()) return;
  target.closest('tr')?.querySelector<HTMLElement>('td:first-child :is(a, [data-row])')?.click();
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
                {column.before ? (
                  <Group gap="sm" wrap="nowrap">
                    {column.before}
                    {column.label}
                  </Group>
                ) : (
                  !column.hiddenLabel && column.label
                )}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody onClick={followRow}>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
