import { Title } from '@mantine/core';
import { useId, type ReactNode } from 'react';
import classes from './components.module.css';

export interface PanelProps {
  title?: string;
  aside?: ReactNode;
  /** Without inner space, for tables. */
  flush?: boolean;
  children: ReactNode;
}

export function Panel({ title, aside, flush, children }: PanelProps) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={title ? id : undefined}>
      {title && (
        <div className={classes.panelHead}>
          <Title order={2} size="h3" id={id}>
            {title}
          </Title>
          {aside}
        </div>
      )}
      <div className={flush ? undefined : classes.panelBody}>{children}</div>
    </section>
  );
}

export function FactList({ facts }: { facts: [label: string, value: ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([label, value]) => (
        <div key={label} style={{ display: 'contents' }}>
          <dt>{label}</dt>
          <dd>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  );
}
