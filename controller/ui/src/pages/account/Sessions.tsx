import { Badge, Button, Group, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDeviceDesktop, IconDeviceMobile, IconTerminal2 } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { sessionsQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import type { Session } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { Panel } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { plural } from '@/lib/format';
import { isPhone } from '@/lib/device';
import { methodWords } from './methods';
import { Row, Rows } from './Row';

/** Ends them one by one; one that has ended meanwhile is as good. */
async function end(sessions: Session[]): Promise<void> {
  for (const { id } of sessions) {
    try {
      await unwrap(api.DELETE('/api/user/sessions/{id}', { params: { path: { id } } }));
    } catch (error) {
      if (asApiError(error).status !== 404) throw error;
    }
  }
}

export function Sessions() {
  const client = useQueryClient();
  const sessions = useQuery(sessionsQuery);
  const [ending, setEnding] = useState<Session[]>([]);
  const list = [...(sessions.data ?? [])].sort((a, b) => Number(b.current) - Number(a.current));
  const others = list.filter((session) => !session.current);
  const stop = useMutation({
    mutationFn: end,
    meta: { showsError: true },
    onSuccess: (_, ended) => {
      notifications.show({ message: `${plural(ended.length, 'session')} ended` });
      setEnding([]);
    },
    onSettled: () => void client.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  });
  const one = ending.length === 1 ? ending[0] : undefined;
  return (
    <Stack gap="md" maw={760}>
      <Panel
        title="Where you are signed in"
        flush
        aside={
          others.length > 0 && (
            <Button size="xs" variant="light" color="red" onClick={() => setEnding(others)} data-testid="end-others">
              End all others
            </Button>
          )
        }
      >
        <Loaded query={sessions}>
          {() => (
            <Rows label="Sessions">
              {list.map((session) => (
                <Row
                  key={session.id}
                  testId="session-row"
                  icon={<SessionIcon session={session} />}
                  title={
                    <Group gap={8}>
                      <span title={session.user_agent}>{session.device}</span>
                      {session.current && <Badge color="teal">this one</Badge>}
                    </Group>
                  }
                  detail={
                    <>
                      {session.address ?? 'unknown address'} · {session.current ? 'in use' : <>used <TimeAgo at={session.last_used_at} /></>}{' '}
                      · since <TimeAgo at={session.created_at} /> by {methodWords(session.method)}
                    </>
                  }
                  actions={
                    !session.current && (
                      <Button size="compact-sm" variant="default" onClick={() => setEnding([session])} data-testid="end-session">
                        End
                      </Button>
                    )
                  }
                />
              ))}
            </Rows>
          )}
        </Loaded>
      </Panel>
      <Text size="xs" c="dimmed">
        A session that you do not know? End it, and change your password.
      </Text>
      <Confirm
        opened={ending.length > 0}
        onClose={() => setEnding([])}
        title={one ? 'End the session' : 'End all other sessions'}
        action={one ? 'End it' : `End ${plural(ending.length, 'session')}`}
        run={stop}
        onConfirm={() => stop.mutate(ending)}
      >
        {one ? (
          <>
            <b>{one.device}</b> at {one.address ?? 'an unknown address'} is signed out within seconds, and shells that are open there
            close.
          </>
        ) : (
          'You stay signed in here only. Shells that are open elsewhere close.'
        )}
      </Confirm>
    </Stack>
  );
}

function SessionIcon({ session: { user_agent } }: { session: Session }) {
  if (isPhone(user_agent)) return <IconDeviceMobile size={19} aria-hidden />;
  return user_agent.startsWith('Mozilla/') ? <IconDeviceDesktop size={19} aria-hidden /> : <IconTerminal2 size={19} aria-hidden />;
}
