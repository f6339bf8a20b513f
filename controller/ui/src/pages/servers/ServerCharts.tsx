import { SegmentedControl, Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { metricsQuery } from '@/api/queries';
import { PERIODS, type MetricsSample, type MetricsSeries, type Period } from '@/api/types';
import classes from '@/charts/charts.module.css';
import { columnsOf } from '@/charts/series';
import { Panel } from '@/components/Panel';
import { ErrorState } from '@/components/States';
import { formatBytes, formatPercent, formatRate } from '@/lib/format';
import { retrying } from '@/lib/retrying';
import { useWatch } from '@/live/LiveProvider';

const Chart = lazy(retrying(() => import('@/charts/Chart')));

interface Drawing {
  title: string;
  format: (value: number) => string;
  bytes?: boolean;
  max?: (samples: MetricsSample[]) => number;
  lines: { label: string; color: string; value: (sample: MetricsSample) => number }[];
}

const DRAWINGS: Drawing[] = [
  {
    title: 'CPU',
    format: formatPercent,
    max: () => 100,
    lines: [{ label: 'Used', color: '--oc-accent', value: (s) => s.cpu_percent }],
  },
  {
    title: 'Memory',
    format: formatBytes,
    bytes: true,
    max: (samples) => samples[samples.length - 1]?.memory_total_bytes ?? 1,
    lines: [
      { label: 'Used', color: '--oc-accent', value: (s) => s.memory_used_bytes },
      { label: 'Swap', color: '--oc-warn', value: (s) => s.swap_used_bytes },
    ],
  },
  {
    title: 'Disk',
    format: formatRate,
    bytes: true,
    lines: [
      { label: 'Read', color: '--oc-accent', value: (s) => s.disk_read_bytes_per_second },
      { label: 'Written', color: '--oc-warn', value: (s) => s.disk_write_bytes_per_second },
    ],
  },
  {
    title: 'Network',
    format: formatRate,
    bytes: true,
    lines: [
      { label: 'In', color: '--oc-accent', value: (s) => s.network_rx_bytes_per_second },
      { label: 'Out', color: '--oc-warn', value: (s) => s.network_tx_bytes_per_second },
    ],
  },
];

export function ServerCharts({ serverId }: { serverId: string }) {
  const [period, setPeriod] = useState<Period>('1h');
  useWatch(serverId);
  const metrics = useQuery(metricsQuery(serverId, period));
  return (
    <Panel
      title="Use"
      aside={
        <SegmentedControl
          size="xs"
          aria-label="Period"
          value={period}
          onChange={(value) => setPeriod(value as Period)}
          data={[...PERIODS]}
        />
      }
    >
      {metrics.isPending ? (
        <Skeleton height={380} />
      ) : metrics.isError ? (
        <ErrorState error={metrics.error} onRetry={() => void metrics.refetch()} />
      ) : metrics.data.data.length === 0 ? (
        <Text size="sm" c="dimmed" ta="center" py="xl">
          No sample in this period. The first ones arrive within a minute after the agent has connected.
        </Text>
      ) : (
        <div className={classes.charts}>
          {DRAWINGS.map((drawing) => (
            <OneChart key={drawing.title} drawing={drawing} series={metrics.data} serverId={serverId} />
          ))}
        </div>
      )}
    </Panel>
  );
}

function OneChart({ drawing, series, serverId }: { drawing: Drawing; series: MetricsSeries; serverId: string }) {
  const { times, lines } = useMemo(() => {
    const { times, columns } = columnsOf(series.data, series.step_seconds, drawing.lines.map((l) => l.value));
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
          syncKey={serverId}
        />
      </Suspense>
    </div>
  );
}
