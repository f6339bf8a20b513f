import { Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconHeartbeat, IconRepeat } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { healthQuery } from '@/api/healthQueries';
import type { Instance, InstanceHealthDetail, Uptime } from '@/api/types';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { EmptyState, Loaded } from '@/components/States';
import { StatusBadge, toneStyle } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { plural } from '@/lib/format';
import { useNow } from '@/lib/now';
import { stateOf, type Tone } from '@/lib/status';
import { CHECKS, checkWords, dayText, dayTone, endText, healthWords, lastDays, uptimeText } from './health';
import classes from './health.module.css';

const DAYS = 90;

/** How an instance is, why, and how it has been. */
export default function InstanceHealth({ instance }: { instance: Instance }) {
  return (
    <Loaded query={useQuery(healthQuery(instance.id, DAYS))}>
      {(health) =>
        health.reported_at == null ? (
          <EmptyState
            icon={<IconHeartbeat size={22} />}
            title="Nothing is known yet"
            text="While an instance runs, its server looks at it every 15 seconds. What it finds is shown here."
          />
        ) : (
          <Known health={health} />
        )
      }
    </Loaded>
  );
}

function Known({ health }: { health: InstanceHealthDetail }) {
  const { crashes, checks, uptime } = health;
  return (
    <Stack gap="md">
      {crashes.is_looping ? (
        <Notice tone="bad" icon={<IconRepeat size={18} />} title="Odoo ends again and again" testId="crash-loop">
          It ended by itself {plural(crashes.recent, 'time')} in the last ten minutes ({endText(crashes)}). Docker starts it again each
          time, with pauses that grow to a minute. The log says what it was doing.
        </Notice>
      ) : (
        crashes.last_at && (
          <Notice tone="warn" icon={<IconAlertTriangle size={18} />} testId="crashed">
            Odoo last ended by itself <TimeAgo at={crashes.last_at} /> ({endText(crashes)}), and was started again.
          </Notice>
        )
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Panel title="Now" aside={<StatusBadge state={stateOf(healthWords, health.state)} />}>
          <Score health={health} />
        </Panel>
        <Panel title="Looked at" flush>
          <ul className={classes.checks} aria-label="What is looked at">
            {checks.map((check) => (
              <li key={check.name} data-check={check.name}>
                <div>
                  <Text size="sm" fw={600}>
                    {CHECKS[check.name].title}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {CHECKS[check.name].how}
                  </Text>
                </div>
                <StatusBadge state={stateOf(checkWords, check.state)} />
                <Text size="xs" c="dimmed" ta="right" className={classes.since}>
                  <TimeAgo at={check.since} />
                </Text>
                {check.reason && check.state !== 'ok' && (
                  <Text size="sm" className={classes.reason} c={check.state === 'failing' ? 'red' : 'dimmed'}>
                    {check.reason}
                  </Text>
                )}
              </li>
            ))}
          </ul>
        </Panel>
      </SimpleGrid>
      <Panel title="Uptime" aside={<Text size="sm" className="numbers" fw={600}>{uptimeText(uptime.percent)}</Text>}>
        <Days uptime={uptime} />
      </Panel>
    </Stack>
  );
}

function scoreTone(score: number): Tone {
  if (score >= 90) return 'good';
  return score >= 60 ? 'warn' : 'bad';
}

function Score({ health: { score, grade, deductions, since } }: { health: InstanceHealthDetail }) {
  if (score == null) {
    return (
      <Text size="sm" c="dimmed">
        Points are given while it is meant to run and its server is connected.
      </Text>
    );
  }
  return (
    <Stack gap="sm">
      <div className={classes.score} style={toneStyle(scoreTone(score))} data-testid="score">
        <span className={classes.points} style={{ color: 'var(--tone)' }}>
          {score}
        </span>
        <Text c="dimmed" span>
          of 100{grade && `, grade ${grade}`}
        </Text>
      </div>
      {deductions.length === 0 ? (
        <Text size="sm">Nothing was taken off.</Text>
      ) : (
        <Stack gap={6}>
          {deductions.map(({ points, reason }) => (
            <Group key={reason} gap="sm" wrap="nowrap" align="baseline">
              <Text size="sm" fw={600} className="numbers" miw={34} ta="right">
                −{points}
              </Text>
              <Text size="sm">{reason}</Text>
            </Group>
          ))}
        </Stack>
      )}
      {since && (
        <Text size="xs" c="dimmed">
          In this state: <TimeAgo at={since} />
        </Text>
      )}
    </Stack>
  );
}

function Days({ uptime }: { uptime: Uptime }) {
  const now = useNow();
  const days = lastDays(uptime.days, DAYS, new Date(now).toISOString().slice(0, 10));
  return (
    <Stack gap={6}>
      <div className={classes.days} role="img" aria-label={`Uptime of the last ${DAYS} days: ${uptimeText(uptime.percent)}`}>
        {days.map((day) => (
          <span key={day.day} className={classes.day} style={toneStyle(dayTone(day))} data-tone={dayTone(day)} title={dayText(day)} />
        ))}
      </div>
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          {DAYS} days ago
        </Text>
        <Text size="xs" c="dimmed">
          today
        </Text>
      </Group>
      <Text size="xs" c="dimmed">
        Time in which it was stopped on purpose, was starting or could not be seen counts neither way.
      </Text>
    </Stack>
  );
}
