import { Text } from '@mantine/core';
import { Link, type LinkProps } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import classes from './admin.module.css';

export interface FigureProps {
  label: string;
  value: ReactNode;
  details?: ReactNode;
  to?: LinkProps['to'];
  search?: LinkProps['search'];
}

/** One number with what belongs to it, leading to the list behind it. */
export function Figure({ label, value, details, to, search }: FigureProps) {
  const content = (
    <>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <div className={`${classes.number} numbers`}>{value}</div>
      <Text size="xs" c="dimmed" component="div">
        {details}
      </Text>
    </>
  );
  if (!to) return <div className={classes.figure}>{content}</div>;
  return (
    <Link to={to} search={search} className={classes.figure}>
      {content}
    </Link>
  );
}

export function Figures({ children }: { children: ReactNode }) {
  return <div className={classes.figures}>{children}</div>;
}
