import { ActionIcon, Box, Checkbox, Group, Menu, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconAdjustments, IconBan, IconCheck, IconCircleCheckFilled, IconCircleMinus, IconEraser, IconInfoCircle, IconSearch } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Fragment, useState, type ReactNode } from 'react';
import { useHeld } from '@/access/useHeld';
import { isWhole, scopeKey } from '@/access/scope';
import { useScopes } from '@/access/useScopes';
import { api, unwrap } from '@/api/client';
import { memberPermissionsQuery, permissionsQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { Effect, Member, MemberPermissions, PermissionView } from '@/api/types';
import { ListTable } from '@/components/ListTable';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import accessClasses from '@/access/access.module.css';
import { accessRows, bySection, matchesRow, mayExcept, reasonText, scopesOf, type AccessRow, type Reason } from './access';

export function MemberAccess({ member, fixed }: { member: Member; fixed: string | null }) {
  const permissions = useQuery(permissionsQuery);
  const access = useQuery(memberPermissionsQuery(member.id));
  if (permissions.isPending || access.isPending) {
    return (
      <Panel>
        <LoadingRows rows={8} />
      </Panel>
    );
  }
  if (permissions.isError) return <ErrorState error={permissions.error} onRetry={() => void permissions.refetch()} />;
  if (access.isError) return <ErrorState error={access.error} onRetry={() => void access.refetch()} />;
  return <Access member={member} fixed={fixed} permissions={permissions.data} access={access.data} />;
}

interface AccessProps {
  member: Member;
  fixed: string | null;
  permissions: PermissionView[];
  access: MemberPermissions;
}

/** An exception to be made or dropped. */
interface Wish {
  key: string;
  effect: Effect | null;
}

function useException(member: Member, version: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ key, effect }: Wish) => {
      const params = { path: { id: member.id, key } };
      const headers = { 'If-Match': `"${version}"` };
      return effect
        ? unwrap(api.PUT('/api/members/{id}/permissions/{key}', { params, headers, body: { effect } }))
        : unwrap(api.DELETE('/api/members/{id}/permissions/{key}', { params, headers }));
    },
    onSuccess: (now) => client.setQueryData(memberPermissionsQuery(member.id).queryKey, now),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.member(member.id) });
      void client.invalidateQueries({ queryKey: keys.members });
    },
  });
}

function Access({ member, fixed, permissions, access }: AccessProps) {
  const { q } = useSearch({ from: '/app/members/$id' });
  const navigate = useNavigate({ from: '/members/$id' });
  const { nameOf, placeOf } = useScopes();
  const [withoutToo, setWithoutToo] = useState(false);
  const [scope, setScope] = useState('');
  const { everywhere } = useHeld();
  const except = useException(member, access.version);
  const rows = accessRows(permissions, access);
  const words = q ?? '';
  const shown = rows.filter(
    (row) =>
      matchesRow(row, words) &&
      (!scope || row.reasons.some((reason) => scopeKey(reason.scope) === scope)) &&
      // Whoever asks about one permission wants to know also why not.
      (withoutToo || words !== '' || row.reasons.length > 0 || row.exception !== null || row.deniedWith !== null),
  );
  const sections = bySection(shown);
  return (
    <Stack gap="md">
      {access.is_owner && (
        <Notice tone="idle" icon={<IconInfoCircle size={18} />}>
          {member.name} owns the organization: everything is allowed, and exceptions do not count.
        </Notice>
      )}
      <Panel flush>
        <Group p="sm" gap="sm">
          <TextInput
            w={{ base: '100%', xs: 280 }}
            placeholder="May they … ? e.g. terminal, backups"
            aria-label="Search the permissions"
            leftSection={<IconSearch size={15} />}
            data-search
            value={words}
            onChange={(event) => {
              const next = event.currentTarget.value;
              void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true });
            }}
          />
          <NativeSelect
            aria-label="Scope"
            value={scope}
            onChange={(event) => setScope(event.currentTarget.value)}
            data={[
              { value: '', label: 'In any scope' },
              ...scopesOf(access.effective).map((one) => ({ value: scopeKey(one), label: nameOf(one) })),
            ]}
          />
          <Checkbox
            label="Also what they may not"
            checked={withoutToo}
            onChange={(event) => setWithoutToo(event.currentTarget.checked)}
          />
          <Text size="xs" c="dimmed" ml="auto" className="numbers" aria-live="polite">
            {rows.filter((row) => row.reasons.length > 0).length} of {rows.length} allowed
          </Text>
        </Group>
        {shown.length === 0 ? (
          <Text size="sm" c="dimmed" p="md" data-testid="empty">
            {words || scope ? 'No permission matches.' : `${member.name} may do nothing here. Give a role first.`}
          </Text>
        ) : (
          <ListTable
            label="What they may do, and why"
            columns={[{ label: 'Permission' }, { label: 'Because', from: 'sm' }, { label: 'Exception', hiddenLabel: true }]}
          >
            {sections.map(({ title, rows: ofSection }) => (
              <Fragment key={title}>
                <Table.Tr className={accessClasses.section}>
                  <Table.Th colSpan={3} scope="rowgroup">
                    {title}
                  </Table.Th>
                </Table.Tr>
                {ofSection.map((row) => (
                  <Row
                    key={row.key}
                    row={row}
                    placeOf={placeOf}
                    changeable={!fixed}
                    mayAllow={mayExcept(everywhere, row.key)}
                    busy={except.isPending}
                    onException={(effect) => except.mutate({ key: row.key, effect })}
                  />
                ))}
              </Fragment>
            ))}
          </ListTable>
        )}
      </Panel>
    </Stack>
  );
}

interface RowProps {
  row: AccessRow;
  placeOf: ReturnType<typeof useScopes>['placeOf'];
  changeable: boolean;
  mayAllow: boolean;
  busy: boolean;
  onException: (effect: Effect | null) => void;
}

function Row({ row, placeOf, changeable, mayAllow, busy, onException }: RowProps) {
  const allowed = row.reasons.length > 0;
  const denied = row.exception === 'deny' || row.deniedWith !== null;
  return (
    <Table.Tr data-testid="access-row" data-permission={row.key} data-allowed={allowed}>
      <Table.Td>
        <Group gap={10} wrap="nowrap" align="flex-start">
          <span style={{ marginTop: 2, color: `var(--oc-${allowed ? 'good' : denied ? 'bad' : 'idle'})` }} role="img" aria-label={allowed ? 'allowed' : 'not allowed'}>
            {allowed ? <IconCircleCheckFilled size={17} /> : <IconCircleMinus size={17} />}
          </span>
          <div>
            <Text size="sm" fw={500} c={allowed ? undefined : 'dimmed'}>
              {row.description}
            </Text>
            <Text size="xs" c="dimmed" ff="monospace">
              {row.key}
            </Text>
            <Box hiddenFrom="sm" mt={4}>
              <Because row={row} placeOf={placeOf} />
            </Box>
          </div>
        </Group>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Because row={row} placeOf={placeOf} />
      </Table.Td>
      <Table.Td ta="right">
        {changeable && (
          <Menu position="bottom-end" width={250}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Exception for ${row.key}`} disabled={busy} data-testid="exception-menu">
                <IconAdjustments size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Label>Whatever the roles say</Menu.Label>
              <Menu.Item
                leftSection={<IconCheck size={16} />}
                disabled={row.exception === 'allow' || !mayAllow}
                onClick={() => onException('allow')}
                data-testid="exception-allow"
              >
                Always allow
                {!mayAllow && (
                  <Text size="xs" c="dimmed">
                    You do not hold this yourself
                  </Text>
                )}
              </Menu.Item>
              <Menu.Item
                leftSection={<IconBan size={16} />}
                disabled={row.exception === 'deny'}
                onClick={() => onException('deny')}
                data-testid="exception-deny"
              >
                Always deny
              </Menu.Item>
              {row.exception && (
                <Menu.Item
                  leftSection={<IconEraser size={16} />}
                  disabled={row.exception === 'deny' && !mayAllow}
                  onClick={() => onException(null)}
                  data-testid="exception-drop"
                >
                  Drop the exception: the roles decide
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Because({ row, placeOf }: Pick<RowProps, 'row' | 'placeOf'>) {
  if (row.exception === 'deny') return <Denied>An exception denies it, whatever the roles say.</Denied>;
  if (row.deniedWith) return <Denied>An exception denies {row.deniedWith}, and who may not see cannot manage.</Denied>;
  // What counts everywhere comes first; the rest adds nothing to it.
  const [first, ...others] = [...row.reasons].sort((a, b) => Number(isWhole(b.scope)) - Number(isWhole(a.scope)));
  if (!first) {
    return (
      <Text size="sm" c="dimmed">
        No role gives it.
      </Text>
    );
  }
  const sentence = ({ scope, because }: Reason) => `${because.map(reasonText).join(' and ')} ${placeOf(scope)}`;
  const also = others.map(sentence).join('; ');
  return (
    <div>
      <Text size="sm">
        <b>{first.because.map(reasonText).join(' and ')}</b> {placeOf(first.scope)}
        {!isWhole(first.scope) && also && `; ${also}`}
      </Text>
      {isWhole(first.scope) && also && (
        <Text size="xs" c="dimmed">
          also {also}
        </Text>
      )}
    </div>
  );
}

function Denied({ children }: { children: ReactNode }) {
  return (
    <Text size="sm" c="var(--oc-bad)">
      {children}
    </Text>
  );
}
