// The bell in the header: what needs a look now.
import { ActionIcon, Group, Popover, ScrollArea, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconBell, IconBellRinging } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { noticesQuery } from '@/api/signalsQueries';
import type { Notice } from '@/api/types';
import { Loaded } from '@/components/States';
import { Dot, toneStyle } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { plural } from '@/lib/format';
import { useSession } from '@/shell/session';
import { kindOf, pageOf, worstTone } from './notices';
import classes from './notices.module.css';

export function NoticeBell() {
  const { can } = useSession();
  return can('view:org') ? <Bell /> : null;
}

function Bell() {
  const [opened, { toggle, close }] = useDisclosure();
  const list = useQuery(noticesQuery);
  const notices = list.data?.data ?? [];
  const count = notices.length;
  const label = count === 0 ? 'Notices: nothing needs a look' : `Notices: ${plural(count, 'thing needs', 'things need')} a look`;
  return (
    <Popover opened={opened} onChange={(next) => !next && close()} width={360} position="bottom-end" trapFocus returnFocus>
      <Popover.Target>
        <ActionIcon color="gray" size="lg" aria-label={label} aria-haspopup="dialog" onClick={toggle} className={classes.bell} data-testid="notices">
          {count > 0 ? <IconBellRinging size={18} /> : <IconBell size={18} />}
          {count > 0 && (
            <span className={classes.count} style={toneStyle(worstTone(notices))} aria-hidden>
              {count > 99 ? '99+' : count}
            </span>
          )}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p={0} aria-label="Notices">
        <Group px="md" py="sm" justify="space-between">
          <Title order={2} size="h3">
            Needs a look
          </Title>
          {count > 0 && (
            <Text size="xs" c="dimmed">
              {count}
              {list.data?.has_more ? ' and more' : ''}
            </Text>
          )}
        </Group>
        <Loaded query={list} rows={3}>
          {() =>
            count === 0 ? (
              <Text size="sm" c="dimmed" px="md" pb="md">
                Nothing. Servers that go offline, jobs that fail, disks that fill up and what is about to end appear here.
              </Text>
            ) : (
              <ScrollArea.Autosize mah="min(460px, 70dvh)" type="auto">
                <ul className={classes.list}>
                  {notices.map((notice) => (
                    <Item key={notice.id} notice={notice} onGo={close} />
                  ))}
                </ul>
              </ScrollArea.Autosize>
            )
          }
        </Loaded>
      </Popover.Dropdown>
    </Popover>
  );
}

function Item({ notice, onGo }: { notice: Notice; onGo: () => void }) {
  const router = useRouter();
  const { label, tone } = kindOf(notice);
  const page = pageOf(notice);
  return (
    <li>
      <a
        href={page}
        className={classes.item}
        data-testid="notice"
        data-kind={notice.kind}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
          event.preventDefault();
          onGo();
          router.history.push(page);
        }}
      >
        <span className={classes.dot}>
          <Dot tone={tone} />
        </span>
        <span style={{ minWidth: 0 }}>
          <Text size="sm" fw={600}>
            {label}
          </Text>
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {notice.message}
          </Text>
          <Text size="xs" c="dimmed">
            <TimeAgo at={notice.raised_at} />
            {!notice.organization_id && ' · of the platform'}
          </Text>
        </span>
      </a>
    </li>
  );
}
