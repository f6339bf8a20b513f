import { Table, Text } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { loginHistoryQuery } from '@/api/accountQueries';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { humanize } from '@/lib/format';
import { methodWords, reasonWords } from './methods';

export function LoginHistory() {
  const paging = usePaging('');
  const list = useQuery({ ...loginHistoryQuery(paging.query), placeholderData: keepPreviousData });
  return (
    <>
      <Panel flush>
        <PagedList
          query={list}
          paging={paging}
          noun="sign-in"
          label="Sign-ins"
          columns={[
            { label: 'Result' },
            { label: 'Method', from: 'sm' },
            { label: 'Device' },
            { label: 'Address', from: 'sm' },
            { label: 'When', from: 'sm' },
          ]}
          empty={
            <EmptyState icon={<IconHistory size={22} />} title="Nothing yet" text="Sign-ins of the last 90 days are listed here." />
          }
        >
          {(login) => (
            <Table.Tr key={login.id} data-testid="login-row">
              <Table.Td>
                <StatusBadge
                  state={
                    login.succeeded ? { label: 'Signed in', tone: 'good' } : { label: reasonWords(login.reason), tone: 'bad' }
                  }
                />
                <Text size="xs" c="dimmed" hiddenFrom="sm">
                  {humanize(methodWords(login.method))}
                  <br />
                  <TimeAgo at={login.created_at} />
                </Text>
              </Table.Td>
              <Table.Td visibleFrom="sm">{humanize(methodWords(login.method))}</Table.Td>
              <Table.Td>
                <span title={login.user_agent}>{login.device}</span>
                <Text size="xs" c="dimmed" hiddenFrom="sm" ff="monospace" style={{ wordBreak: 'break-all' }}>
                  {login.address}
                </Text>
              </Table.Td>
              <Table.Td visibleFrom="sm">
                <Text size="sm" ff="monospace">
                  {login.address ?? '–'}
                </Text>
              </Table.Td>
              <Table.Td visibleFrom="sm" style={{ whiteSpace: 'nowrap' }}>
                <TimeAgo at={login.created_at} />
              </Table.Td>
            </Table.Tr>
          )}
        </PagedList>
      </Panel>
      <Text size="xs" c="dimmed" mt="sm">
        The last 90 days, with attempts that were refused. Wrong tries that were not yours are no danger as long as your password
        is only yours; a second factor makes sure.
      </Text>
    </>
  );
}
