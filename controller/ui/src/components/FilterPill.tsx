import { Pill } from '@mantine/core';
import type { ReactNode } from 'react';

/** A filter that holds and can be taken away. */
export function FilterPill({ label, onRemove, children }: { label: string; onRemove: () => void; children: ReactNode }) {
  return (
    <Pill
      size="md"
      withRemoveButton
      onRemove={onRemove}
      removeButtonProps={{ 'aria-label': `Remove the filter: ${label}`, tabIndex: 0, 'aria-hidden': false }}
      data-testid="filter-pill"
    >
      {label}: <b>{children}</b>
    </Pill>
  );
}
