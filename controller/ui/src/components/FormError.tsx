import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { asApiError } from '@/api/errors';

/** What went wrong, unless the fields of the form tell it already. */
export function FormError({ error, shown = {} }: { error: unknown; shown?: Record<string, ReactNode> }) {
  if (!error || Object.values(shown).some(Boolean)) return null;
  return (
    <Text size="sm" c="red" role="alert" data-testid="form-error">
      {asApiError(error).message}
    </Text>
  );
}
