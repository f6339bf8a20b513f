import { Group, Table, Text } from '@mantine/core';
import { IconMail, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { adminMailsQuery } from '@/api/adminQueries';
import { mailStatusValues, type MailView, type MailStatus } from '@/api/types';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { StatusFilter } from '@/components/StatusFilter';
import { TimeAgo } from '@/components/Time';
import { stateOf } from '@/lib/status';
import { MailDrawer } from './MailDrawer';
import { mailState } from './mails';

export default function MailsPage() {
  const search = useSearch({ from: '/app/admin/mails' });
  const navigate = useNavigate({ from: '/admin/mails' });
  const [opened, setOpened] = useState<MailView | null>(null);
  const { q } = search;
  const status = search.status as MailStatus | undefined;
  const paging = usePaging(`${q ?? ''}|${status ?? ''}`);
  const list = useQuery({ ...adminMailsQuery({ ...paging.query, q, status }), placeholderData: keepPreviousData });
  const set = (change: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  return (
    <>
      <PageHeader title="Mail" subtitle="What was sent in the last 30 days, what waits, and what is kept because there is no mail server." />
      <Panel flush>
        <Group p="sm" gap="xs">
          <SearchInput label="Search recipients" value={q ?? ''} onSearch={(next) => set({ q: next || undefined })} />
          <StatusFilter value={status} all={mailStatusValues} states={mailState} onChange={(value) => set({ status: value })} />
        </Group>
        <PagedList
          query={list}
          paging={paging}
          noun="mail"
          label="Mails"
          columns={[{ label: 'Subject' }, { label: 'To', from: 'xs' }, { label: 'State', from: 'xs' }, { label: 'Made', from: 'sm' }]}
          empty={
            q || status ? (
              <EmptyState icon={<IconSearchOff size={22} />} title="No mail matches" text="Mails are listed for 30 days." />
            ) : (
              <EmptyState icon={<IconMail size={22} />} title="No mail yet" text="Invitations, confirmations and notices appear here." />
            )
          }
        >
          {(mail) => <Row key={mail.id} mail={mail} onOpen={() => setOpened(mail)} />}
        </PagedList>
      </Panel>
      <MailDrawer
        mail={opened && (list.data?.data.find((mail) => mail.id === opened.id) ?? opened)}
        onClose={() => setOpened(null)}
      />
    </>
  );
}

function Row({ mail, onOpen }: { mail: MailView; onOpen: () => void }) {
  return (
    <Table.Tr data-testid="mail-row" data-status={mail.status} data-to={mail.recipient}>
      <Table.Td>
        <RowButton onClick={onOpen}>{mail.subject}</RowButton>
        <Text size="xs" c="dimmed" lineClamp={1}>
          {mail.problem}
        </Text>
        <Text size="xs" hiddenFrom="xs" component="div" style={{ overflowWrap: 'anywhere' }}>
          <div>to {mail.recipient}</div>
          <StatusBadge state={stateOf(mailState, mail.status)} />
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="xs" style={{ overflowWrap: 'anywhere' }}>{mail.recipient}</Table.Td>
      <Table.Td visibleFrom="xs">
        <StatusBadge state={stateOf(mailState, mail.status)} title={mail.problem} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={mail.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}
