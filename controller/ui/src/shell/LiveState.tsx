import { Button, Group, Text, Tooltip } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { Dot } from '@/components/StatusBadge';
import { useLive } from '@/live/LiveProvider';
import { useNow } from '@/lib/now';
import classes from './shell.module.css';

const GRACE_MS = 2_500;

/** Whether the live connection has been away for longer than a blink. */
function useInterrupted(): boolean {
  const { state } = useLive();
  const live = state.kind === 'live';
  const [interrupted, setInterrupted] = useState(false);
  useEffect(() => {
    if (live) {
      setInterrupted(false);
      return;
    }
    const timer = setTimeout(() => setInterrupted(true), GRACE_MS);
    return () => clearTimeout(timer);
  }, [live]);
  return interrupted;
}

export function LiveDot() {
  const interrupted = useInterrupted();
  const label = interrupted ? 'Live updates are interrupted' : 'Live: changes appear by themselves';
  return (
    <Tooltip label={label}>
      <Group gap={7} role="status" aria-label={label} data-testid="live-state" px={4}>
        <Dot tone={interrupted ? 'warn' : 'good'} />
        <Text size="xs" c="dimmed" visibleFrom="sm">
          {interrupted ? 'Offline' : 'Live'}
        </Text>
      </Group>
    </Tooltip>
  );
}

export function OfflineBanner() {
  const interrupted = useInterrupted();
  return interrupted ? <Banner /> : null;
}

function Banner() {
  const { state, retry } = useLive();
  const now = useNow(true);
  const wait = state.kind === 'waiting' ? Math.max(0, Math.ceil((state.retryAt - now) / 1000)) : null;
  return (
    <div className={classes.banner} role="alert" data-testid="offline-banner">
      <IconPlugConnectedX size={18} />
      <span>
        Live updates are interrupted; what you see may be out of date.{' '}
        {wait === null ? 'Connecting …' : `Next attempt in ${wait} s.`}
      </span>
      <Button size="compact-xs" variant="default" ml="auto" onClick={retry}>
        Retry now
      </Button>
    </div>
  );
}
