import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './account.module.css';

export function Rows({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul className={classes.rows} aria-label={label}>
      {children}
    </ul>
  );
}

export interface RowProps {
  icon: ReactNode;
  title: ReactNode;
  detail?: ReactNode;
  actions?: ReactNode;
  testId?: string;
}

/** One of a short list, with what can be done with it. */
export function Row({ icon, title, detail, actions, testId }: RowProps) {
  return (
    <li className={classes.row} data-testid={testId}>
      <span className={classes.rowIcon}>{icon}</span>
      <div className={classes.rowText}>
        <Text size="sm" fw={600} component="div">
          {title}
        </Text>
        {detail && (
          <Text size="xs" c="dimmed" component="div">
            {detail}
          </Text>
        )}
      </div>
      {actions}
    </li>
  );
}
