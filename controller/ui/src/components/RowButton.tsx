import { UnstyledButton } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './components.module.css';

/** What opens a row of a list where it is, instead of a page. */
export function RowButton({ onClick, children, testId }: { onClick: () => void; children: ReactNode; testId?: string }) {
  return (
    <UnstyledButton className={classes.rowLink} onClick={onClick} data-row data-testid={testId}>
      {children}
    </UnstyledButton>
  );
}
