import type { CSSProperties } from 'react';
import type { State, Tone } from '@/lib/status';
import classes from './components.module.css';

export function toneStyle(tone: Tone): CSSProperties {
  return { '--tone': `var(--oc-${tone})` } as CSSProperties;
}

export function Dot({ tone }: { tone: Tone }) {
  return <span className={classes.dot} style={toneStyle(tone)} data-pulse={tone === 'busy' || undefined} aria-hidden />;
}

/** A state in words, with a dot of its tone: never told by colour alone. */
export function StatusBadge({ state, title }: { state: State; title?: string | null }) {
  return (
    <span className={classes.status} title={title ?? undefined} data-testid="status" data-tone={state.tone}>
      <Dot tone={state.tone} />
      {state.label}
    </span>
  );
}
