// What the person at the console may give: no more than they hold, in the scope where they give it.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { memberPermissionsQuery } from '@/api/identityQueries';
import type { ScopeRef } from '@/api/types';
import { useSession } from '@/shell/session';
import { heldAt } from './scope';
import { useScopes } from './useScopes';

export interface Held {
  at: (scope: ScopeRef) => Set<string>;
  everywhere: Set<string>;
}

export function useHeld(): Held {
  const { user, organization, can } = useSession();
  const { projectOf } = useScopes();
  // Who may not see members still knows what they may do somewhere; the controller has the last word.
  const mine = useQuery({ ...memberPermissionsQuery(user.id), enabled: can('view:members'), retry: false });
  return useMemo(() => {
    const effective =
      mine.data?.effective ??
      organization.permissions.map((permission) => ({ permission, scope: { type: 'organization' as const }, because: [] }));
    const at = (scope: ScopeRef) => heldAt(effective, scope, projectOf);
    return { at, everywhere: at({ type: 'organization' }) };
  }, [mine.data, organization.permissions, projectOf]);
}
