// A log that follows its end until the reader scrolls up, and then keeps the reader's place whatever arrives.
import { Button, Loader } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { copyText } from '@/lib/clipboard';
import { formatCount, plural } from '@/lib/format';
import { readStored, writeStored } from '@/lib/storage';
import { atLevel, matchesOf, type Level } from './buffer';
import { LogRow } from './LogRow';
import { LogToolbar } from './LogToolbar';
import classes from './logs.module.css';
import { StreamNote } from './StreamNote';
import type { LogStream } from './useLogStream';

export interface OlderLines {
  hasMore: boolean;
  loading: boolean;
  load: () => void;
}

export interface LogViewerProps {
  label: string;
  log: LogStream;
  height: number | string;
  levels?: boolean;
  sources?: boolean;
  older?: OlderLines;
  emptyText: string;
}

const ROW = 20;
/** Nearer to the end than this is at the end. */
const END = 30;

function useStoredFlag(key: string, initial: boolean): [boolean, () => void] {
  const [on, setOn] = useState(() => (readStored(key) ?? String(initial)) === 'true');
  return [
    on,
    () => {
      writeStored(key, String(!on));
      setOn(!on);
    },
  ];
}

export function LogViewer(props: LogViewerProps) {
  const { lines, appended, cut, state, setPaused } = props.log;
  const scroll = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const [wrap, toggleWrap] = useStoredFlag('ocore.log-wrap', false);
  const [times, toggleTimes] = useStoredFlag('ocore.log-times', true);
  const [level, setLevel] = useState<Level | null>(null);
  const [query, setQuery] = useState('');
  const [match, setMatch] = useState(-1);
  const [atTop, setAtTop] = useState(false);
  /** What had been appended when the reader left the end; null while following. */
  const [leftAt, setLeftAt] = useState<number | null>(null);
  const deferredQuery = useDeferredValue(query);

  const shown = useMemo(() => atLevel(lines, level), [lines, level]);
  const matches = useMemo(() => matchesOf(shown, deferredQuery), [shown, deferredQuery]);
  const following = leftAt === null;
  useEffect(() => setPaused(!following), [setPaused, following]);

  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    getItemKey: (index) => shown[index]?.key ?? index,
    overscan: 20,
    paddingEnd: 8,
    anchorTo: 'end',
    followOnAppend: following,
    scrollEndThreshold: END,
  });

  const onScroll = () => {
    const element = scroll.current;
    if (!element) return;
    const end = element.scrollHeight - element.scrollTop - element.clientHeight <= END;
    setAtTop(element.scrollTop < 4 && element.scrollHeight > element.clientHeight);
    setLeftAt((before) => (end ? null : (before ?? appended)));
  };

  const jumpToNow = useCallback(() => {
    setLeftAt(null);
    virtualizer.scrollToEnd();
  }, [virtualizer]);

  useEffect(() => {
    virtualizer.measure();
    if (following) virtualizer.scrollToEnd();
    // Only a change of what is shown moves the view.
  }, [wrap, level]);

  const move = (by: 1 | -1) => {
    // Of what is typed now, which the highlighting may not have reached.
    const found = query === deferredQuery ? matches : matchesOf(shown, query);
    if (found.length === 0) return;
    const next = match < 0 ? (by > 0 ? 0 : found.length - 1) : (match + by + found.length) % found.length;
    setMatch(next);
    setLeftAt((before) => before ?? appended);
    virtualizer.scrollToIndex(found[next] ?? 0, { align: 'center' });
  };

  const copy = async () => {
    const text = shown.map((line) => (times ? `${line.at} ${line.plain}` : line.plain)).join('\n');
    const copied = await copyText(text);
    notifications.show(
      copied
        ? { message: `${plural(shown.length, 'line')} copied${cut > 0 ? `, without ${formatCount(cut)} earlier ones` : ''}` }
        : { color: 'red', message: 'The browser did not allow copying' },
    );
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'f') {
      event.preventDefault();
      search.current?.select();
    } else if (event.key === 'End' && event.target === scroll.current) {
      event.preventDefault();
      jumpToNow();
    }
  };

  const unseen = following ? 0 : appended - leftAt;
  const currentRow = match >= 0 ? matches[match] : undefined;

  return (
    <div className={classes.viewer} style={{ height: props.height }} onKeyDown={onKeyDown}>
      <LogToolbar
        searchRef={search}
        query={query}
        onQuery={(value) => {
          setQuery(value);
          setMatch(-1);
        }}
        matchCount={matches.length}
        matchIndex={match}
        onMove={move}
        level={level}
        onLevel={props.levels ? setLevel : undefined}
        wrap={wrap}
        onWrap={toggleWrap}
        times={times}
        onTimes={toggleTimes}
        onCopy={() => void copy()}
      />
      <div className={classes.body}>
        <div
          ref={scroll}
          className={classes.scroll}
          role="log"
          aria-live="off"
          aria-label={props.label}
          tabIndex={0}
          onScroll={onScroll}
          data-testid="log-scroll"
        >
          <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
            {virtualizer.getVirtualItems().map((item) => {
              const line = shown[item.index];
              return (
                line && (
                  <LogRow
                    key={item.key}
                    line={line}
                    index={item.index}
                    start={item.start}
                    query={deferredQuery}
                    wrap={wrap}
                    times={times}
                    sources={props.sources ?? false}
                    current={item.index === currentRow}
                    measure={wrap ? virtualizer.measureElement : undefined}
                  />
                )
              );
            })}
          </div>
        </div>
        {shown.length === 0 && (
          <div className={classes.empty}>
            {state.kind === 'connecting' ? <Loader size="sm" /> : level ? 'No line of this level' : props.emptyText}
          </div>
        )}
        {props.older?.hasMore && atTop && (
          <Button
            className={classes.older}
            size="compact-xs"
            variant="default"
            leftSection={<IconArrowUp size={12} />}
            loading={props.older.loading}
            onClick={props.older.load}
          >
            Load older lines
          </Button>
        )}
        {!following && (
          <Button
            className={classes.jump}
            size="compact-sm"
            leftSection={<IconArrowDown size={14} />}
            onClick={jumpToNow}
            data-testid="log-jump"
          >
            {unseen > 0 ? `${formatCount(unseen)} new ${unseen === 1 ? 'line' : 'lines'} — jump to now` : 'Jump to now'}
          </Button>
        )}
      </div>
      <div className={classes.status}>
        <StreamNote state={state} following={following} whole={cut === 0} />
        <span className={classes.spring} />
        {cut > 0 && (
          <span data-testid="log-cut">
            {`${plural(cut, 'earlier line')} ${cut === 1 ? 'is' : 'are'} no longer kept here ·`}
          </span>
        )}
        <span>
          {level ? `${formatCount(shown.length)} of ${plural(lines.length, 'line')}` : plural(shown.length, 'line')}
        </span>
      </div>
    </div>
  );
}
