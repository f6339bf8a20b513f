import { Group, Skeleton, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Counts } from '@/api/queries';
import { StatusBadge, toneStyle } from '@/components/StatusBadge';
import { formatCount } from '@/lib/format';
import { stateOf, type State } from '@/lib/status';
import classes from './dashboard.module.css';

export interface CounterProps {
  title: string;
  to: '/servers' | '/instances';
  counts: Counts | undefined;
  states: Record<string, State>;
}

function trouble(counts: Counts, states: Record<string, State>): number {
  return Object.entries(counts.byStatus).reduce((sum, [key, n]) => {
    const { tone } = stateOf(states, key);
    return tone === 'bad' || tone === 'warn' ? sum + n : sum;
  }, 0);
}

/** How many there are, and how they are spread over their states. */
export function Counter({ title, to, counts, states }: CounterProps) {
  const bad = counts ? trouble(counts, states) : 0;
  return (
    <section className={classes.counter} aria-label={title} data-testid={`count-${title.toLowerCase()}`}>
      <Group justify="space-between" align="baseline">
        <Link to={to} className={classes.counterTitle}>
          {title}
        </Link>
        {bad > 0 && (
          <Text size="sm" c="var(--oc-bad)">
            {formatCount(bad)} {bad === 1 ? 'needs' : 'need'} attention
          </Text>
        )}
      </Group>
      {counts ? (
        <>
          <span className={`${classes.number} numbers`}>
            {formatCount(counts.total)}
            {counts.more && '+'}
          </span>
          <States to={to} counts={counts} states={states} />
        </>
      ) : (
        <Skeleton height={84} mt={8} />
      )}
    </section>
  );
}

function States({ to, counts, states }: { to: CounterProps['to']; counts: Counts; states: Record<string, State> }) {
  const parts = Object.entries(counts.byStatus).sort((a, b) => b[1] - a[1]);
  if (parts.length === 0) return <div className={classes.bar} />;
  return (
    <>
      <div className={classes.bar} aria-hidden>
        {parts.map(([key, n]) => (
          <div key={key} className={classes.barPart} style={{ ...toneStyle(stateOf(states, key).tone), flexGrow: n }} />
        ))}
      </div>
      <div className={classes.legend}>
        {parts.map(([key, n]) => (
          <Link key={key} to={to} search={{ status: key }}>
            <Group gap={6}>
              <StatusBadge state={stateOf(states, key)} />
              <Text size="sm" c="dimmed" className="numbers">
                {formatCount(n)}
              </Text>
            </Group>
          </Link>
        ))}
      </div>
    </>
  );
}
