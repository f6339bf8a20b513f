import { ActionIcon, NativeSelect, Text, TextInput, Tooltip } from '@mantine/core';
import { IconChevronDown, IconChevronUp, IconClock, IconCopy, IconSearch, IconTextWrap } from '@tabler/icons-react';
import type { RefObject } from 'react';
import { LEVELS, type Level } from './buffer';
import classes from './logs.module.css';

export interface LogToolbarProps {
  searchRef: RefObject<HTMLInputElement | null>;
  query: string;
  onQuery: (query: string) => void;
  matchCount: number;
  matchIndex: number;
  onMove: (by: 1 | -1) => void;
  level: Level | null;
  onLevel?: (level: Level | null) => void;
  wrap: boolean;
  onWrap: () => void;
  times: boolean;
  onTimes: () => void;
  onCopy: () => void;
}

function matchText({ matchCount, matchIndex }: LogToolbarProps): string {
  if (matchCount === 0) return 'not found';
  return matchIndex < 0 ? `${matchCount} found` : `${matchIndex + 1} of ${matchCount}`;
}

function Toggle(props: { label: string; on?: boolean; onClick: () => void; disabled?: boolean; children: React.ReactNode }) {
  return (
    <Tooltip label={props.label}>
      <ActionIcon
        variant={props.on ? 'light' : 'subtle'}
        color={props.on ? undefined : 'gray'}
        aria-label={props.label}
        aria-pressed={props.on}
        disabled={props.disabled}
        onClick={props.onClick}
      >
        {props.children}
      </ActionIcon>
    </Tooltip>
  );
}

export function LogToolbar(props: LogToolbarProps) {
  return (
    <div className={classes.toolbar} role="toolbar" aria-label="Log tools">
      <TextInput
        ref={props.searchRef}
        size="xs"
        w={220}
        leftSection={<IconSearch size={14} />}
        placeholder="Search these lines"
        aria-label="Search these lines"
        value={props.query}
        onChange={(event) => props.onQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') props.onMove(event.shiftKey ? -1 : 1);
          if (event.key === 'Escape') props.onQuery('');
        }}
      />
      {props.query !== '' && (
        <>
          <Text size="xs" c="dimmed" miw={64} aria-live="polite" data-testid="log-matches">
            {matchText(props)}
          </Text>
          <Toggle label="Previous match (Shift+Enter)" disabled={props.matchCount === 0} onClick={() => props.onMove(-1)}>
            <IconChevronUp size={16} />
          </Toggle>
          <Toggle label="Next match (Enter)" disabled={props.matchCount === 0} onClick={() => props.onMove(1)}>
            <IconChevronDown size={16} />
          </Toggle>
        </>
      )}
      <span className={classes.spring} />
      {props.onLevel && (
        <NativeSelect
          size="xs"
          aria-label="Least level shown"
          value={props.level ?? ''}
          onChange={(event) => props.onLevel?.((event.currentTarget.value || null) as Level | null)}
          data={[
            { value: '', label: 'All levels' },
            ...LEVELS.map((level) => ({ value: level, label: `${level.charAt(0)}${level.slice(1).toLowerCase()} and up` })),
          ]}
        />
      )}
      <Toggle label="Show times" on={props.times} onClick={props.onTimes}>
        <IconClock size={16} />
      </Toggle>
      <Toggle label="Wrap long lines" on={props.wrap} onClick={props.onWrap}>
        <IconTextWrap size={16} />
      </Toggle>
      <Toggle label="Copy the lines shown" onClick={props.onCopy}>
        <IconCopy size={16} />
      </Toggle>
    </div>
  );
}
