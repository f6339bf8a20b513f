import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { metricsQuery } from '@/api/queries';
import type { MetricsSample, Period } from '@/api/types';
import { Charts, type Drawing } from '@/charts/Charts';
import { formatBytes, formatPercent, formatRate } from '@/lib/format';
import { useWatch } from '@/live/LiveProvider';

const DRAWINGS: Drawing<MetricsSample>[] = [
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
    max: (samples) => samples[samples.length - 1]?.memory_total_bytes,
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
  return (
    <Charts
      title="Use"
      drawings={DRAWINGS}
      query={useQuery(metricsQuery(serverId, period))}
      period={period}
      onPeriod={setPeriod}
      empty="No sample in this period. The first ones arrive within a minute after the agent has connected."
      syncKey={serverId}
    />
  );
}
