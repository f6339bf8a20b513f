import { Badge, Checkbox, Group, Stack, Text, Tooltip } from '@mantine/core';
import { IconEyeOff, IconMinus, IconPencil, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import type { AuditEntry } from '@/api/types';
import { toneStyle } from '@/components/StatusBadge';
import type { Tone } from '@/lib/status';
import classes from './audit.module.css';
import { changesOf, frameOf, valueText, type Change, type ChangeKind, type Frame } from './diff';

const TITLES: Record<Frame, string> = {
  none: '',
  made: 'Made with',
  removed: 'What it was',
  changed: 'What changed',
  details: 'Details',
};

const MARKS: Record<ChangeKind, { label: string; tone: Tone; icon: typeof IconPlus | null }> = {
  added: { label: 'added', tone: 'good', icon: IconPlus },
  removed: { label: 'removed', tone: 'bad', icon: IconMinus },
  changed: { label: 'changed', tone: 'busy', icon: IconPencil },
  same: { label: 'unchanged', tone: 'idle', icon: null },
};

/** What an entry changed, with what stayed on request. */
export function Changes({ entry }: { entry: AuditEntry }) {
  const [everything, setEverything] = useState(false);
  const frame = frameOf(entry.action, entry.before, entry.after);
  if (frame === 'none') {
    return (
      <Text size="sm" c="dimmed">
        The entry notes no values: something was asked for, looked at or refused.
      </Text>
    );
  }
  const changes = changesOf(entry.before, entry.after);
  const quiet = (c: Change) => c.kind === 'same' || (c.bookkeeping && frame === 'changed');
  const hidden = changes.filter(quiet).length;
  const shown = everything ? changes : changes.filter((c) => !quiet(c));
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Text size="sm" fw={600}>
          {TITLES[frame]}
        </Text>
        {hidden > 0 && (
          <Checkbox
            size="xs"
            label={`Also what stayed (${hidden})`}
            checked={everything}
            onChange={(event) => setEverything(event.currentTarget.checked)}
          />
        )}
      </Group>
      {shown.length === 0 && (
        <Text size="sm" c="dimmed">
          No visible field differs. What is secret is never written down.
        </Text>
      )}
      <dl className={classes.changes} data-testid="changes">
        {shown.map((c) => (
          <Row key={c.path} change={c} framed={frame === 'changed'} />
        ))}
      </dl>
    </Stack>
  );
}

function Row({ change, framed }: { change: Change; framed: boolean }) {
  const mark = MARKS[change.kind];
  const Icon = mark.icon;
  return (
    <div
      className={classes.change}
      style={toneStyle(mark.tone)}
      data-kind={framed ? change.kind : undefined}
      data-path={change.path}
      data-testid="change"
    >
      <dt>
        {framed && Icon && <Icon size={13} role="img" aria-label={mark.label} />}
        <span>{change.path || 'value'}</span>
        {change.masked && (
          <Tooltip label="A secret: what it holds is never written down" events={{ hover: true, focus: true, touch: true }}>
            <Badge size="xs" variant="default" leftSection={<IconEyeOff size={11} />} tabIndex={0}>
              secret
            </Badge>
          </Tooltip>
        )}
      </dt>
      <dd>
        <Values change={change} />
      </dd>
    </div>
  );
}

function Values({ change: { kind, path, before, after, items, masked } }: { change: Change }) {
  if (items) {
    return (
      <span className={classes.items}>
        {items.removed.map((item) => (
          <del key={valueText(item)}>{valueText(item)}</del>
        ))}
        {items.added.map((item) => (
          <ins key={valueText(item)}>{valueText(item)}</ins>
        ))}
        {items.added.length + items.removed.length === 0 && 'in another order'}
        {items.kept > 0 && <Text span size="xs" c="dimmed">{`${items.kept} stayed`}</Text>}
      </span>
    );
  }
  if (masked && kind === 'changed') return <>another value, hidden</>;
  if (kind !== 'changed') return <>{valueText(kind === 'removed' ? before : after, path)}</>;
  return (
    <>
      <del>{valueText(before, path)}</del>
      <span aria-hidden> → </span>
      <span className="visually-hidden">became</span>
      <ins>{valueText(after, path)}</ins>
    </>
  );
}
