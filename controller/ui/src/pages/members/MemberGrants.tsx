import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconInfoCircle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { grantErrors, grantProblems, sameGrants } from '@/access/grants';
import { draftsOf, GrantsEditor, inputsOf } from '@/access/GrantsEditor';
import { useScopes } from '@/access/useScopes';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { memberQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { Grant, Member } from '@/api/types';
import { FormError } from '@/components/FormError';
import { RoleLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';

export function MemberGrants({ member, fixed }: { member: Member; fixed: string | null }) {
  return (
    <Stack gap="md" maw={900}>
      {fixed && (
        <Notice tone="idle" icon={<IconInfoCircle size={18} />} testId="fixed">
          {fixed}
        </Notice>
      )}
      {fixed ? (
        <Panel title="Roles" flush>
          <GrantTable grants={member.grants} />
        </Panel>
      ) : (
        <Editor member={member} />
      )}
    </Stack>
  );
}

export function GrantTable({ grants }: { grants: Grant[] }) {
  const { nameOf } = useScopes();
  if (grants.length === 0) {
    return (
      <Text size="sm" c="dimmed" p="md">
        No role: may do nothing here.
      </Text>
    );
  }
  return (
    <ListTable label="Roles" columns={[{ label: 'Role' }, { label: 'Counts in' }]}>
      {grants.map((grant) => (
        <Table.Tr key={`${grant.role_id} ${grant.scope.type} ${grant.scope.id}`}>
          <Table.Td>
            <RoleLink id={grant.role_id} strong>
              {grant.role}
            </RoleLink>
          </Table.Td>
          <Table.Td>{nameOf(grant.scope)}</Table.Td>
        </Table.Tr>
      ))}
    </ListTable>
  );
}

function Editor({ member }: { member: Member }) {
  const client = useQueryClient();
  const [shown, setShown] = useState(member);
  const [drafts, setDrafts] = useState(() => draftsOf(member.grants));
  const [tried, setTried] = useState(false);
  const wanted = inputsOf(drafts);
  const dirty = !sameGrants(wanted, shown.grants);
  const reset = (to: Member) => {
    setShown(to);
    setDrafts(draftsOf(to.grants));
    setTried(false);
  };
  useEffect(() => {
    // What others changed is taken over, unless it would write over what was typed here.
    if (!dirty || member.version < shown.version) reset(member);
  }, [member.version]);
  const save = useMutation({
    mutationFn: () =>
      unwrap(
        api.PUT('/api/members/{id}/grants', {
          params: { path: { id: member.id } },
          headers: { 'If-Match': `"${shown.version}"` },
          body: { grants: wanted },
        }),
      ),
    meta: { showsError: true },
    onSuccess: async () => {
      reset(await client.fetchQuery({ ...memberQuery(member.id), staleTime: 0 }));
      for (const queryKey of [keys.members, keys.roles, [...keys.member(member.id), 'permissions']]) {
        void client.invalidateQueries({ queryKey });
      }
      notifications.show({ message: 'Saved' });
    },
  });
  const problem = save.error && asApiError(save.error);
  const problems = grantProblems(wanted);
  const stale = problem?.status === 412;
  return (
    <Panel title="Roles">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (Object.keys(problems).length === 0) save.mutate();
        }}
        aria-label="Roles"
      >
        <Stack gap="md">
          <Text size="sm" c="dimmed">
            Roles add up. One in the whole organization counts everywhere; one in a project, an environment or on a server
            counts only there.
          </Text>
          <GrantsEditor
            value={drafts}
            onChange={(next) => {
              setDrafts(next);
              save.reset();
            }}
            errors={tried ? { ...(problem ? grantErrors(problem) : {}), ...problems } : {}}
          />
          {dirty && drafts.length === 0 && (
            <Notice tone="warn" icon={<IconInfoCircle size={18} />}>
              Without a role {member.name} stays a member and may do nothing.
            </Notice>
          )}
          {stale ? (
            <Notice tone="warn" role="alert">
              Somebody else has just changed this member.{' '}
              <Button
                size="compact-xs"
                variant="default"
                onClick={() => {
                  save.reset();
                  reset(member);
                }}
              >
                Show what holds now
              </Button>
            </Notice>
          ) : (
            <FormError error={save.error} shown={problem ? grantErrors(problem) : {}} />
          )}
          <Group justify="flex-end" gap="xs">
            <Button
              variant="default"
              disabled={!dirty}
              onClick={() => {
                save.reset();
                reset(member);
              }}
            >
              Discard
            </Button>
            <Button type="submit" disabled={!dirty} loading={save.isPending} data-testid="save-grants">
              Save the roles
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
