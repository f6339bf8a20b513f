import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { instanceMetricsQuery } from '@/api/healthQueries';
import type { Instance, InstanceSample, Period } from '@/api/types';
import { Charts, type Drawing } from '@/charts/Charts';
import { formatBytes, formatCount, formatPercent, formatRate } from '@/lib/format';

const whole = (value: number) => formatCount(Math.round(value));

const DRAWINGS: Drawing<InstanceSample>[] = [
  {
    title: 'CPU, of a core',
    format: formatPercent,
    lines: [{ label: 'Used', color: '--oc-accent', value: (s) => s.cpu_percent }],
  },
  {
    title: 'Memory',
    format: formatBytes,
    bytes: true,
    max: (samples) => samples[samples.length - 1]?.memory_limit_bytes ?? undefined,
    lines: [
      { label: 'Used', color: '--oc-accent', value: (s) => s.memory_used_bytes },
      { label: 'Of its own', color: '--oc-warn', value: (s) => s.memory_rss_bytes },
    ],
  },
  {
    title: 'Disk',
    format: formatRate,
    bytes: true,
    lines: [
      { label: 'Read', color: '--oc-accent', value: (s) => s.block_read_bytes_per_second },
      { label: 'Written', color: '--oc-warn', value: (s) => s.block_write_bytes_per_second },
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
  {
    title: 'Data',
    format: formatBytes,
    every: 300,
    bytes: true,
    lines: [
      { label: 'Database', color: '--oc-accent', value: (s) => s.database_bytes },
      { label: 'Files', color: '--oc-warn', value: (s) => s.filestore_bytes },
    ],
  },
  {
    title: 'Processes and connections',
    format: whole,
    lines: [
      { label: 'Processes', color: '--oc-accent', value: (s) => s.processes },
      { label: 'Database connections', color: '--oc-warn', value: (s) => s.database_connections },
    ],
  },
];

/** What an instance has used. */
export default function InstanceMetrics({ instance }: { instance: Instance }) {
  const [period, setPeriod] = useState<Period>('1h');
  return (
    <Charts
      title="Use"
      drawings={DRAWINGS}
      query={useQuery(instanceMetricsQuery(instance.id, period))}
      period={period}
      onPeriod={setPeriod}
      empty="No sample in this period. While the instance runs there is one a minute."
      syncKey={instance.id}
    />
  );
}
