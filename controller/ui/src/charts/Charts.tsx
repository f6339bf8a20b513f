import { SegmentedControl, Skeleton, Text } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import { PERIODS, type Period } from '@/api/types';
import { Panel } from '@/components/Panel';
import { ErrorState } from '@/components/States';
import { retrying } from '@/lib/retrying';
import classes from './charts.module.css';
import { columnsOf, type Timed } from './series';

const Chart = lazy(retrying(() => import('./Chart')));

/** One chart of a page, and what of a sample it shows. */
export interface Drawing<S> {
  title: string;
  format: (value: number) => string;
  bytes?: boolean;
  /** Seconds from one measurement to the next, where it is not measured with each sample. */
  every?: number;
  max?: (samples: S[]) => number | undefined;
  lines: { label: string; color: string; value: (sample: S) => number | null | undefined }[];
}

interface Samples<S> {
  data: S[];
  step_seconds: number;
}

export interface ChartsProps<S> {
  title: string;
  drawings: Drawing<S>[];
  query: UseQueryResult<Samples<S>>;
  period: Period;
  onPeriod: (period: Period) => void;
  /** Said where there is no sample. */
  empty: string;
  syncKey: string;
}

/** What something has used over a period, a chart for each kind. */
export function Charts<S extends Timed>({ title, drawings, query, period, onPeriod, empty, syncKey }: ChartsProps<S>) {
  return (
    <Panel
      title={title}
      aside={
        <SegmentedControl
          size="xs"
          aria-label="Period"
          value={period}
          onChange={(value) => onPeriod(value as Period)}
          data={[...PERIODS]}
        />
      }
    >
      {query.isPending ? (
        <Skeleton height={380} />
      ) : query.isError ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : query.data.data.length === 0 ? (
        <Text size="sm" c="dimmed" ta="center" py="xl">
          {empty}
        </Text>
      ) : (
        <div className={classes.charts}>
          {drawings.map((drawing) => (
            <OneChart key={drawing.title} drawing={drawing} series={query.data} syncKey={syncKey} />
          ))}
        </div>
      )}
    </Panel>
  );
}

function OneChart<S extends Timed>({ drawing, series, syncKey }: { drawing: Drawing<S>; series: Samples<S>; syncKey: string }) {
  const { times, lines } = useMemo(() => {
    const values = drawing.lines.map((l) => l.value);
    const measured = drawing.every ? series.data.filter((sample) => values.some((value) => value(sample) != null)) : series.data;
    const { times, columns } = columnsOf(measured, Math.max(series.step_seconds, drawing.every ?? 0), values);
    return {
      times,
      lines: drawing.lines.map(({ label, color }, index) => ({ label, color, values: columns[index] ?? [] })),
    };
  }, [drawing, series]);
  return (
    <div>
      <Text size="xs" c="dimmed" fw={500}>
        {drawing.title}
      </Text>
      <Suspense fallback={<Skeleton height={180} />}>
        <Chart
          label={`${drawing.title} over time`}
          times={times}
          series={lines}
          format={drawing.format}
          bytes={drawing.bytes}
          max={drawing.max?.(series.data)}
          syncKey={syncKey}
        />
      </Suspense>
    </div>
  );
}
