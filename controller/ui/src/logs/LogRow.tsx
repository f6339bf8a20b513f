import { memo, type CSSProperties } from 'react';
import { formatDateTime, formatLogTime, plural } from '@/lib/format';
import { parseAnsi, type Style } from './ansi';
import type { LogLine } from './buffer';
import classes from './logs.module.css';
import { cutAtRanges, findRanges } from './search';

/** A longer line would stall the browser's layout; copying still gives the whole of it. */
const LONGEST = 10_000;

function css(style: Style): CSSProperties {
  const color = (value: number | string | undefined) =>
    value === undefined ? undefined : typeof value === 'number' ? `var(--oc-ansi-${value})` : value;
  return {
    color: color(style.fg),
    background: color(style.bg),
    fontWeight: style.bold ? 700 : undefined,
    opacity: style.dim ? 0.65 : undefined,
    fontStyle: style.italic ? 'italic' : undefined,
    textDecoration: style.underline ? 'underline' : undefined,
  };
}

function Text({ line, query }: { line: LogLine; query: string }) {
  if (line.dropped) {
    return (
      <span className={classes.dropped} data-testid="log-dropped">
        {`— ${plural(line.dropped, 'line')} dropped here: they came faster than they could be read —`}
      </span>
    );
  }
  if (line.stream === 'mark') return <span className={classes.mark}>{`— ${line.plain} —`}</span>;
  const shown = line.text.length > LONGEST ? line.text.slice(0, LONGEST) : line.text;
  const segments = parseAnsi(shown);
  const ranges = findRanges(segments.map((s) => s.text).join(''), query);
  return (
    <>
      {cutAtRanges(segments, ranges).map((piece, index) =>
        piece.found ? (
          <mark key={index} className={classes.found}>
            {piece.text}
          </mark>
        ) : piece.style ? (
          <span key={index} style={css(piece.style)}>
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
      {line.text.length > LONGEST && (
        <span className={classes.mark}>{` … ${plural(line.text.length - LONGEST, 'more character')}`}</span>
      )}
    </>
  );
}

export interface LogRowProps {
  line: LogLine;
  query: string;
  wrap: boolean;
  times: boolean;
  sources: boolean;
  current: boolean;
  start: number;
  index: number;
  measure?: (element: HTMLElement | null) => void;
}

export const LogRow = memo(function LogRow(props: LogRowProps) {
  const { line } = props;
  return (
    <div
      ref={props.measure}
      className={classes.row}
      style={{ transform: `translateY(${props.start}px)` }}
      data-testid="log-line"
      data-index={props.index}
      data-level={line.level ?? undefined}
      data-wrap={props.wrap || undefined}
      data-current={props.current || undefined}
    >
      {props.times && (
        <time className={classes.time} dateTime={line.at} title={formatDateTime(line.at)}>
          {formatLogTime(line.at)}
        </time>
      )}
      {props.sources && line.stream && <span className={classes.source}>{line.stream}</span>}
      <Text line={line} query={props.query} />
    </div>
  );
});
