import { Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { toneStyle } from '@/components/StatusBadge';
import { plural } from '@/lib/format';
import { confLines, type ConfLine } from './confDiff';
import classes from './config.module.css';

const MARKS = {
  added: { tone: 'good', said: 'new: ' },
  removed: { tone: 'bad', said: 'gone: ' },
} as const;

/** The odoo.conf that comes of it, with what changes against the saved one, and what is seldom meant. */
export function ConfFile({ saved, conf, warnings }: { saved: string; conf: string; warnings: string[] }) {
  const lines = useMemo(() => confLines(saved, conf), [saved, conf]);
  const changed = lines.filter(({ kind }) => kind !== 'same').length;
  return (
    <>
      {warnings.length > 0 && (
        <Notice tone="warn" icon={<IconAlertTriangle size={18} />} title="Seldom meant" role="status" testId="config-warnings">
          <Stack gap={4}>
            {warnings.map((warning) => (
              <div key={warning}>{warning}</div>
            ))}
          </Stack>
        </Notice>
      )}
      <Panel
        flush
        title="odoo.conf"
        aside={
          <Text size="xs" c="dimmed" role="status" data-testid="conf-changes">
            {changed > 0 ? `${plural(changed, 'line')} differ from what is saved` : 'as it is saved, passwords hidden'}
          </Text>
        }
      >
        <pre className={classes.conf} tabIndex={0} aria-label="odoo.conf" data-testid="conf">
          {lines.map((line, index) => (
            <Line key={index} line={line} />
          ))}
        </pre>
      </Panel>
    </>
  );
}

function Line({ line: { kind, text } }: { line: ConfLine }) {
  if (kind === 'same') return <span className={classes.line}>{text}</span>;
  const Tag = kind === 'added' ? 'ins' : 'del';
  const { tone, said } = MARKS[kind];
  return (
    <Tag className={classes.line} style={toneStyle(tone)} data-kind={kind}>
      <span className="visually-hidden">{said}</span>
      {text}
    </Tag>
  );
}
