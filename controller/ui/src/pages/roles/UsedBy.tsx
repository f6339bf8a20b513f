import { Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useScopes } from '@/access/useScopes';
import { allMembersQuery, invitationsQuery, serviceAccountsQuery } from '@/api/identityQueries';
import type { Grant, Invitation, Member, Role, ServiceAccount } from '@/api/types';
import { MemberLink, ServiceAccountLink } from '@/components/Links';
import { Panel } from '@/components/Panel';
import { LoadingRows } from '@/components/States';
import { useSession } from '@/shell/session';

const SHOWN = 40;

interface Holders {
  isPending: boolean;
  people: Member[];
  accounts: ServiceAccount[];
  invited: Invitation[];
}

/** Who holds a role or is to get it, as far as one may see that. */
export function useHolders(role: Role): Holders {
  const { can } = useSession();
  const members = useQuery({ ...allMembersQuery, enabled: can('view:members'), retry: false });
  const accounts = useQuery({ ...serviceAccountsQuery, enabled: can('view:api-keys'), retry: false });
  const pending = useQuery({ ...invitationsQuery({ status: 'pending', limit: 200 }), enabled: can('view:members'), retry: false });
  const holds = ({ grants }: { grants: Grant[] }) => grants.some((grant) => grant.role_id === role.id);
  return {
    isPending: members.isLoading || accounts.isLoading,
    people: (members.data ?? []).filter(holds),
    accounts: (accounts.data ?? []).filter(holds),
    invited: (pending.data?.data ?? []).filter((invitation) => invitation.role_id === role.id),
  };
}

export function UsedBy({ role }: { role: Role }) {
  const { isPending, people, accounts, invited } = useHolders(role);
  const { nameOf } = useScopes();
  const where = (grants: Grant[]) =>
    grants
      .filter((grant) => grant.role_id === role.id && grant.scope.type !== 'organization')
      .map((grant) => nameOf(grant.scope))
      .join(', ');
  const rest = people.length + accounts.length - SHOWN;
  return (
    <Panel title="Held by">
      {isPending ? (
        <LoadingRows rows={1} />
      ) : people.length + accounts.length + invited.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nobody holds it.
        </Text>
      ) : (
        <Group gap="6px 20px" data-testid="used-by">
          {people.slice(0, SHOWN).map((member) => (
            <Text key={member.id} size="sm" component="span">
              <MemberLink id={member.id}>{member.name}</MemberLink> <Where text={where(member.grants)} />
            </Text>
          ))}
          {accounts.slice(0, SHOWN).map((account) => (
            <Text key={account.id} size="sm" component="span">
              <ServiceAccountLink id={account.id}>{account.name}</ServiceAccountLink>{' '}
              <Where text={['service account', where(account.grants)].filter(Boolean).join(', ')} />
            </Text>
          ))}
          {invited.map((invitation) => (
            <Text key={invitation.id} size="sm" component="span">
              {invitation.email} <Where text="invited" />
            </Text>
          ))}
          {rest > 0 && (
            <Text size="sm" c="dimmed">
              and {rest} more
            </Text>
          )}
        </Group>
      )}
    </Panel>
  );
}

function Where({ text }: { text: string }) {
  if (!text) return null;
  return (
    <Text span size="xs" c="dimmed">
      ({text})
    </Text>
  );
}
