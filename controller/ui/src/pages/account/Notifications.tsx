import { Stack, Switch, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { noticeChoiceQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { NoticeKind } from '@/api/types';
import { Panel } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { humanize } from '@/lib/format';
import classes from './account.module.css';
import { toggled } from './notices';
import { useUser } from './useUser';

/** Which notices come by mail. A switch is saved as it is turned. */
export function Notifications() {
  const client = useQueryClient();
  const user = useUser();
  const choice = useQuery(noticeChoiceQuery);
  // What was turned and is not saved yet: a switch stays where it was put, however many are under way.
  const [turned, setTurned] = useState<Partial<Record<NoticeKind, boolean>>>({});
  const settle = (kind: NoticeKind, mailed: boolean) =>
    setTurned(({ [kind]: last, ...others }) => (last === mailed ? others : { ...others, [kind]: last }));
  const set = useMutation({
    // One after the other: each builds on what the one before has saved.
    scope: { id: 'notices' },
    mutationFn: async ({ kind, mailed }: { kind: NoticeKind; mailed: boolean }) => {
      const now = client.getQueryData(noticeChoiceQuery.queryKey) ?? (await client.fetchQuery(noticeChoiceQuery));
      const saved = await unwrap(
        api.PUT('/api/user/notices', {
          headers: { 'If-Match': `"${now.version}"` },
          body: { muted: toggled(now.muted, kind, mailed) },
        }),
      );
      client.setQueryData(noticeChoiceQuery.queryKey, saved);
      // The account counts it as a change of its own.
      await client.invalidateQueries({ queryKey: keys.user });
    },
    onError: () => void client.invalidateQueries({ queryKey: noticeChoiceQuery.queryKey }),
    onSettled: (_saved, _error, { kind, mailed }) => settle(kind, mailed),
  });
  const turn = (kind: NoticeKind, mailed: boolean) => {
    setTurned((others) => ({ ...others, [kind]: mailed }));
    set.mutate({ kind, mailed });
  };
  return (
    <Stack gap="md" maw={760}>
      <Panel title="By mail" flush>
        <Loaded query={choice}>
          {(data) => (
            <ul className={classes.rows} aria-label="Kinds of notices">
              {data.kinds.map(({ kind, description }) => {
                const mailed = turned[kind] ?? !data.muted.includes(kind);
                return (
                  <li key={kind} className={classes.row}>
                    <Switch
                      checked={mailed}
                      onChange={(event) => turn(kind, event.currentTarget.checked)}
                      label={humanize(kind)}
                      description={description}
                      styles={{ label: { fontWeight: 600 } }}
                      data-testid={`notice-${kind}`}
                    />
                  </li>
                );
              })}
            </ul>
          )}
        </Loaded>
      </Panel>
      <Text size="xs" c="dimmed">
        Mail goes to {user.email}, about what you may see, from every organization of yours. What is switched off here still shows
        in the console. Mail about your account, such as a changed password, always comes.
      </Text>
    </Stack>
  );
}
