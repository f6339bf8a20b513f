import { Button, Group, Menu, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue, useDisclosure } from '@mantine/hooks';
import { IconDownload, IconFileSearch, IconTrash } from '@tabler/icons-react';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { userQuery } from '@/api/queries';
import { Confirm } from '@/components/Confirm';
import { Panel } from '@/components/Panel';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';
import { formatDateTime, plural } from '@/lib/format';
import { useSession } from '@/shell/session';
import { LEVELS } from './buffer';
import { downloadUrl, entriesOf, filterQuery, type Entry, type LogFilter } from './entries';
import classes from './logs.module.css';

const PAGE = 200;

/** Entries of an instance's whole log, over all its containers: searched on the server, the newest first. */
export function LogSearch({ instanceId }: { instanceId: string }) {
  const [filter, setFilter] = useState<LogFilter>({ q: '', level: '', logger: '' });
  const [asked] = useDebouncedValue(filter, 300);
  const found = useInfiniteQuery({
    queryKey: ['log-search', instanceId, asked],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/instances/{id}/logs/history', {
          params: { path: { id: instanceId }, query: { ...filterQuery(asked), before: pageParam, limit: PAGE } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => (page.has_more ? (page.previous_cursor ?? undefined) : undefined),
    retry: false,
    staleTime: Infinity,
  });
  const pages = found.data?.pages ?? [];
  const entries = entriesOf([...pages].reverse().flatMap(({ lines }) => lines)).reverse();
  const set = (change: Partial<LogFilter>) => setFilter((before) => ({ ...before, ...change }));
  return (
    <Panel title="Search the log" flush aside={<Tools instanceId={instanceId} filter={filter} />}>
      <Group gap="xs" p="md" align="flex-end">
        <TextInput
          label="Text"
          placeholder="In whatever case"
          style={{ flex: '1 1 200px' }}
          data-search
          value={filter.q}
          onChange={(event) => set({ q: event.currentTarget.value })}
          data-testid="log-q"
        />
        <NativeSelect
          label="Level, or worse"
          value={filter.level}
          data={[{ value: '', label: 'Any' }, ...LEVELS]}
          onChange={(event) => set({ level: event.currentTarget.value })}
        />
        <TextInput
          label="Logger"
          placeholder="odoo.addons.sale"
          spellCheck={false}
          autoCapitalize="none"
          value={filter.logger}
          onChange={(event) => set({ logger: event.currentTarget.value })}
        />
        <Button variant="default" loading={found.isFetching && !found.isFetchingNextPage} onClick={() => void found.refetch()}>
          Look again
        </Button>
      </Group>
      {found.isPending ? (
        <LoadingRows rows={6} />
      ) : found.isError && pages.length === 0 ? (
        <ErrorState error={found.error} onRetry={() => void found.refetch()} />
      ) : entries.length === 0 && !found.hasNextPage ? (
        <EmptyState icon={<IconFileSearch size={22} />} title="Nothing was found" text="No entry of the log that is kept fits. It is kept over restarts and upgrades, the oldest goes first." />
      ) : (
        <>
          <ul className={classes.entries} aria-label="Entries, the newest first">
            {entries.map((entry) => (
              <Row key={entry.key} entry={entry} />
            ))}
          </ul>
          <Group justify="space-between" p="md">
            <Text size="xs" c="dimmed" aria-live="polite">
              {plural(entries.length, 'entry', 'entries')}
              {!found.hasNextPage && ', back to the first line that is kept'}
            </Text>
            {found.hasNextPage && (
              <Button size="xs" variant="default" loading={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()} data-testid="log-more">
                Search further back
              </Button>
            )}
          </Group>
        </>
      )}
    </Panel>
  );
}

function Row({ entry: { at, level, logger, text, rest } }: { entry: Entry }) {
  const head = (
    <>
      <span className={classes.time}>{formatDateTime(at)}</span> {level && <b>{level}</b>} {logger && <span className={classes.source}>{logger}</span>}{' '}
      {text}
    </>
  );
  return (
    <li className={classes.entry} data-level={level ?? undefined}>
      {rest.length === 0 ? (
        head
      ) : (
        <details>
          <summary>
            {head} <span className={classes.source}>({plural(rest.length, 'more line')})</span>
          </summary>
          <pre className={classes.rest}>{rest.join('\n')}</pre>
        </details>
      )}
    </li>
  );
}

/** What can be done with the log as a whole. */
function Tools({ instanceId, filter }: { instanceId: string; filter: LogFilter }) {
  const client = useQueryClient();
  const { organization, user } = useSession();
  const [clearing, { open, close }] = useDisclosure();
  const download = async (format: 'text' | 'gzip') => {
    // A download cannot renew the session; this request does.
    await client.fetchQuery({ ...userQuery, staleTime: 0 });
    const link = document.createElement('a');
    link.href = downloadUrl(instanceId, filter, format, organization.slug);
    link.download = '';
    link.click();
  };
  const clear = useMutation({
    mutationFn: () => unwrap(api.DELETE('/api/instances/{id}/logs', { params: { path: { id: instanceId } } })),
    meta: { showsError: true },
    onSuccess: () => {
      close();
      notifications.show({ message: 'The log begins anew' });
    },
    onSettled: () => void client.invalidateQueries({ queryKey: ['log-search', instanceId] }),
  });
  return (
    <Stack gap={0}>
      <Menu position="bottom-end" width={230}>
        <Menu.Target>
          <Button size="xs" variant="default" leftSection={<IconDownload size={15} />} data-testid="log-tools">
            Download
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>All entries that fit; noted in the audit log.</Menu.Label>
          <Menu.Item onClick={() => void download('text')}>As text</Menu.Item>
          <Menu.Item onClick={() => void download('gzip')}>As text, packed (gzip)</Menu.Item>
          {user.is_admin && (
            <>
              <Menu.Divider />
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={open} data-testid="clear-log">
                Clear the log
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      <Confirm opened={clearing} title="Clear the log" action="Clear it" keep="Keep it" run={clear} onClose={close} onConfirm={() => clear.mutate()}>
        Nothing that was written before now is shown any more, and what was kept of earlier containers is deleted. It cannot be
        brought back.
      </Confirm>
    </Stack>
  );
}
