import { Button, Group } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { serverEventsQuery } from '@/api/queries';
import { EventList } from '@/components/EventList';
import { Panel } from '@/components/Panel';
import { EmptyState, ErrorState, LoadingRows } from '@/components/States';

export function ServerEvents({ serverId }: { serverId: string }) {
  const events = useInfiniteQuery(serverEventsQuery(serverId));
  if (events.isPending) return <LoadingRows />;
  if (events.isError) return <ErrorState error={events.error} onRetry={() => void events.refetch()} />;
  const all = events.data.pages.flatMap((page) => page.data);
  if (all.length === 0) {
    return (
      <EmptyState
        icon={<IconHistory size={22} />}
        title="Nothing has happened yet"
        text="Connects, disconnects and changes of this server are listed here for seven days."
      />
    );
  }
  return (
    <Panel flush>
      <EventList events={all} />
      {events.hasNextPage && (
        <Group justify="center" p="sm">
          <Button variant="default" size="xs" loading={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            Show older events
          </Button>
        </Group>
      )}
    </Panel>
  );
}
