// The audit log, of an organization or of the whole platform.
import { Button, Center, Loader, Menu, Table, Text } from '@mantine/core';
import { useDisclosure, useIntersection } from '@mantine/hooks';
import { IconDownload, IconHistory, IconRefresh, IconSearchOff, IconShieldCheck } from '@tabler/icons-react';
import { keepPreviousData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState, type ReactNode } from 'react';
import { userQuery } from '@/api/queries';
import { auditQuery } from '@/api/signalsQueries';
import type { AuditEntry } from '@/api/types';
import { SubjectLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { EmptyState, Loaded } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { formatCount, humanize, plural } from '@/lib/format';
import { useSession } from '@/shell/session';
import { EntryDrawer } from './EntryDrawer';
import { exportUrl, filterOf, isFiltered, timeProblem, type AuditSearch } from './filter';
import { Filters } from './Filters';
import { VerifyDialog } from './Verify';

export interface AuditLogProps {
  title: string;
  subtitle: ReactNode;
  ofPlatform: boolean;
  search: AuditSearch;
  onSearch: (change: AuditSearch) => void;
}

export function AuditLog({ title, subtitle, ofPlatform, search, onSearch }: AuditLogProps) {
  const [verifying, { open, close }] = useDisclosure();
  const [opened, setOpened] = useState<AuditEntry | null>(null);
  const words = JSON.stringify(search);
  // "The last hour" begins when it is chosen, so that further pages belong to the same list.
  const filter = useMemo(() => filterOf(search, Date.now()), [words]);
  const list = useInfiniteQuery({
    ...auditQuery(filter, ofPlatform),
    enabled: timeProblem(search) === null,
    placeholderData: keepPreviousData,
  });
  const entries = useMemo(() => list.data?.pages.flatMap((page) => page.data) ?? [], [list.data]);
  return (
    <>
      <PageHeader
        title={title}
        subtitle={subtitle}
        actions={
          <>
            <Button variant="default" leftSection={<IconShieldCheck size={16} />} onClick={open} data-testid="verify">
              Verify
            </Button>
            <Export filter={filter} ofPlatform={ofPlatform} />
            <Button
              variant="default"
              px="xs"
              aria-label="Look for newer entries"
              loading={list.isRefetching && !list.isFetchingNextPage}
              onClick={() => void list.refetch()}
            >
              <IconRefresh size={16} />
            </Button>
          </>
        }
      />
      <Panel flush>
        <Filters search={search} onChange={onSearch} entries={entries} ofPlatform={ofPlatform} />
        <Loaded query={list} rows={8}>
          {() =>
            entries.length === 0 ? (
              isFiltered(search) ? (
                <EmptyState icon={<IconSearchOff size={22} />} title="No entry matches" text="Try another filter, or a longer time." />
              ) : (
                <EmptyState icon={<IconHistory size={22} />} title="No entry yet" text="Every change is written down here from now on." />
              )
            ) : (
              <Entries entries={entries} ofPlatform={ofPlatform} onOpen={setOpened} />
            )
          }
        </Loaded>
        <More list={list} count={entries.length} />
      </Panel>
      <EntryDrawer
        entry={opened}
        ofPlatform={ofPlatform}
        onClose={() => setOpened(null)}
        onFilter={(change) => {
          setOpened(null);
          onSearch(change);
        }}
      />
      <VerifyDialog opened={verifying} onClose={close} ofPlatform={ofPlatform} />
    </>
  );
}

function Entries({ entries, ofPlatform, onOpen }: { entries: AuditEntry[]; ofPlatform: boolean; onOpen: (entry: AuditEntry) => void }) {
  return (
    <ListTable
      label="Audit log"
      columns={[
        { label: 'What' },
        { label: 'On', from: 'sm' },
        { label: 'Who' },
        { label: 'From', from: 'md' },
        { label: 'When', from: 'xs' },
        { label: 'Place', from: 'lg' },
      ]}
    >
      {entries.map((entry) => (
        <Table.Tr key={entry.id} data-testid="audit-row" data-action={entry.action}>
          <Table.Td>
            <RowButton onClick={() => onOpen(entry)}>{humanize(entry.action)}</RowButton>
            <Text size="xs" c="dimmed" hiddenFrom="sm" style={{ overflowWrap: 'anywhere' }}>
              {entry.subject.name}
            </Text>
            <Text size="xs" c="dimmed" hiddenFrom="xs">
              <TimeAgo at={entry.created_at} />
            </Text>
          </Table.Td>
          <Table.Td visibleFrom="sm" style={{ overflowWrap: 'anywhere' }}>
            {ofPlatform ? entry.subject.name : <SubjectLink subject={entry.subject} />}
          </Table.Td>
          <Table.Td style={{ overflowWrap: 'anywhere' }}>{entry.actor.name}</Table.Td>
          <Table.Td visibleFrom="md">
            <Text size="sm" c={entry.address ? undefined : 'dimmed'} className="numbers">
              {entry.address ?? '–'}
            </Text>
          </Table.Td>
          <Table.Td visibleFrom="xs" style={{ whiteSpace: 'nowrap' }}>
            <TimeAgo at={entry.created_at} />
          </Table.Td>
          <Table.Td visibleFrom="lg">
            <Text size="xs" c="dimmed" className="numbers">
              {entry.seq == null ? 'being sealed' : `#${formatCount(entry.seq)}`}
            </Text>
          </Table.Td>
        </Table.Tr>
      ))}
    </ListTable>
  );
}

/** Loads the next page as its end comes near; by hand too, for keyboards. */
function More({ list, count }: { list: Pick<ReturnType<typeof useInfiniteQuery>, 'hasNextPage' | 'isFetchingNextPage' | 'isFetchNextPageError' | 'fetchNextPage'>; count: number }) {
  const { ref, entry } = useIntersection({ rootMargin: '600px' });
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = list;
  const near = entry?.isIntersecting ?? false;
  useEffect(() => {
    if (near && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [near, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage, count]);
  if (count === 0) return null;
  return (
    <Center ref={ref} p="sm">
      {hasNextPage ? (
        <Button
          size="xs"
          variant="subtle"
          color="gray"
          disabled={isFetchingNextPage}
          leftSection={isFetchingNextPage ? <Loader size={14} /> : undefined}
          onClick={() => void fetchNextPage()}
        >
          {isFetchNextPageError ? 'Older entries could not be loaded. Try again' : 'Older entries'}
        </Button>
      ) : (
        <Text size="xs" c="dimmed">
          {plural(count, 'entry', 'entries')}; that is all
        </Text>
      )}
    </Center>
  );
}

function Export({ filter, ofPlatform }: { filter: ReturnType<typeof filterOf>; ofPlatform: boolean }) {
  const client = useQueryClient();
  const { organization } = useSession();
  const download = async (format: 'json' | 'csv') => {
    // A download cannot renew the session; this request does.
    await client.fetchQuery({ ...userQuery, staleTime: 0 });
    const link = document.createElement('a');
    link.href = exportUrl(filter, format, ofPlatform ? null : organization.slug);
    link.download = '';
    link.click();
  };
  return (
    <Menu position="bottom-end" width={250}>
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} />} data-testid="export">
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>All entries of the present filters. The export is written into the log.</Menu.Label>
        <Menu.Item onClick={() => void download('json')} data-testid="export-json">
          JSON lines
        </Menu.Item>
        <Menu.Item onClick={() => void download('csv')} data-testid="export-csv">
          CSV, for spreadsheets
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
