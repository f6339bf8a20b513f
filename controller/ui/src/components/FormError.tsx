import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { asApiError } from '@/api/errors';

/** What went wrong, unless the fields of the form tell it already. */
export function FormError({ error, shown = {} }: { error: unknown; shown?: Record<string, ReactNode> }) {
  if (!error || Object.values(shown).some(Boolean)) return null;
  const { message, fields } = asApiError(error);
  // No field of the form stands for them.
  const others = fields.filter((problem) => problem.message !== message);
  return (
    <Text size="sm" c="red" role="alert" data-testid="form-error" component="div">
      {message}
      {others.map((problem) => (
        <div key={problem.field}>
          <b>{problem.field}</b>: {problem.message}
        </div>
      ))}
    </Text>
  );
}
