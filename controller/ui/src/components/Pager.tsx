// Lists come in pages with a cursor: this remembers the cursors of the pages gone through.
import { ActionIcon, Group, NativeSelect, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { Page } from '@/api/types';
import { plural } from '@/lib/format';
import { readStored, writeStored } from '@/lib/storage';

export interface Paging {
  query: { limit: number; cursor?: string };
  number: number;
  setLimit: (limit: number) => void;
  forward: (cursor: string) => void;
  back: () => void;
}

const SIZE = 'ocore.page-size';

/** `filter` in words: another filter starts at the first page. */
export function usePaging(filter: string): Paging {
  const [limit, setLimit] = useState(() => Number(readStored(SIZE)) || 25);
  const [cursors, setCursors] = useState<string[]>([]);
  useEffect(() => setCursors([]), [filter, limit]);
  return {
    query: { limit, cursor: cursors[cursors.length - 1] },
    number: cursors.length + 1,
    setLimit: (n) => {
      writeStored(SIZE, String(n));
      setLimit(n);
    },
    forward: (cursor) => setCursors((before) => [...before, cursor]),
    back: () => setCursors((before) => before.slice(0, -1)),
  };
}

/** A page of what is there as a whole. */
export function cutPage<T>(all: T[], { query: { limit, cursor } }: Paging): Page<T> {
  const from = Number(cursor ?? 0);
  const to = from + limit;
  return { data: all.slice(from, to), has_more: to < all.length, next_cursor: String(to) };
}

export function Pager({ paging, page, noun, many }: { paging: Paging; page: Page<unknown> | undefined; noun: string; many?: string }) {
  if (!page || (paging.number === 1 && !page.has_more && page.data.length <= 10)) return null;
  const next = page.has_more ? page.next_cursor : null;
  return (
    <Group justify="space-between" px="md" py="xs" component="nav" aria-label="Pages">
      <Text size="xs" c="dimmed">
        {plural(page.data.length, noun, many)} on this page
      </Text>
      <Group gap="xs">
        <NativeSelect
          size="xs"
          aria-label="Rows on a page"
          value={String(paging.query.limit)}
          data={['25', '50', '100'].map((n) => ({ value: n, label: `${n} a page` }))}
          onChange={(event) => paging.setLimit(Number(event.currentTarget.value))}
        />
        <ActionIcon variant="default" aria-label="Previous page" disabled={paging.number === 1} onClick={paging.back}>
          <IconChevronLeft size={16} />
        </ActionIcon>
        <Text size="xs" className="numbers">
          Page {paging.number}
        </Text>
        <ActionIcon
          variant="default"
          aria-label="Next page"
          disabled={!next}
          onClick={() => next && paging.forward(next)}
        >
          <IconChevronRight size={16} />
        </ActionIcon>
      </Group>
    </Group>
  );
}
