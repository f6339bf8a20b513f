// Who is signed in and for which organization they work.
import { useQueryClient, useSuspenseQuery, type Query } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { keys, userQuery } from '@/api/queries';
import { currentOrganization, setCurrentOrganization } from '@/api/session';
import type { AccountOrganization, Account } from '@/api/types';

interface Session {
  user: Account;
  organization: AccountOrganization;
  switchTo: (slug: string) => void;
  /** Whether the user may do this in the organization, e.g. `manage:servers`. */
  can: (permission: string) => boolean;
}

const SessionContext = createContext<Session | null>(null);

export function SessionProvider({ children, fallback }: { children: ReactNode; fallback: ReactNode }) {
  const client = useQueryClient();
  const { data: user } = useSuspenseQuery(userQuery);
  const [slug, setSlug] = useState(currentOrganization);
  // An organization that gets another slug meanwhile stays the same one.
  const shown = useRef<string | null>(null);
  const organization =
    user.organizations.find((o) => o.slug === slug) ??
    user.organizations.find((o) => o.id === shown.current) ??
    user.organizations.find((o) => o.id === user.default_organization_id) ??
    user.organizations[0];
  const chosen = organization?.slug ?? null;
  const id = organization?.id ?? null;
  // Before the children's first request, which runs in their effects.
  if (currentOrganization() !== chosen) setCurrentOrganization(chosen);
  useEffect(() => setSlug(chosen), [chosen]);
  useEffect(() => {
    // Somebody who was removed lands in another organization: nothing of the former one is shown there.
    if (shown.current !== null && shown.current !== id) void client.resetQueries({ predicate: isOfOrganization });
    shown.current = id;
  }, [client, id]);

  const session = useMemo(
    () =>
      organization && {
        user,
        organization,
        switchTo: (next: string) => {
          setCurrentOrganization(next);
          client.removeQueries({ predicate: isOfOrganization });
          shown.current = user.organizations.find((o) => o.slug === next)?.id ?? null;
          setSlug(next);
        },
        can: (permission: string) => allows(organization.permissions, permission),
      },
    [client, organization, user],
  );
  if (!session) return fallback;
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}

function isOfOrganization(query: Query): boolean {
  return query.queryKey[0] !== keys.user[0];
}

/** `manage` includes `view`. */
function allows(permissions: string[], permission: string): boolean {
  if (permissions.includes(permission)) return true;
  return permission.startsWith('view:') && permissions.includes(permission.replace('view:', 'manage:'));
}

/** For pages that are also there for who belongs to no organization. */
export function useMaybeSession(): Session | null {
  return useContext(SessionContext);
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession needs a SessionProvider');
  return session;
}
