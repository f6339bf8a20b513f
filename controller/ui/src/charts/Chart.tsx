// A line chart over time. Loaded on demand with uPlot.
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatClock, formatDateTime } from '@/lib/format';
import classes from './charts.module.css';
import { timeRange } from './series';

export interface Series {
  label: string;
  /** Name of a token, e.g. `--oc-accent`. */
  color: string;
  values: (number | null)[];
}

export interface ChartProps {
  label: string;
  /** Seconds. */
  times: number[];
  series: Series[];
  format: (value: number) => string;
  /** Steps of the scale are powers of two. */
  bytes?: boolean;
  /** Fixed top of the scale, e.g. 100 for per cent. */
  max?: number;
  /** Charts with the same key move their cursors together. */
  syncKey: string;
  height?: number;
}

const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const MINUTE = 60;
const DAY = 86_400;

function timeLabels(plot: uPlot, ticks: number[]): string[] {
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  const days = max - min > 2 * DAY;
  const seconds = max - min < 10 * MINUTE;
  return ticks.map((tick) => (days ? formatDateTime(tick * 1000).slice(5, 10) : formatClock(tick * 1000).slice(0, seconds ? 8 : 5)));
}

/** While nobody points at a moment the legend says the newest values. */
function showNewest(plot: uPlot): void {
  if (plot.cursor.idx == null) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
}

function optionsOf(props: ChartProps, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--mantine-color-dimmed'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color('--oc-border'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: props.height ?? 150,
    padding: [8, 8, 0, 0],
    cursor: { sync: { key: props.syncKey }, drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: {
      x: { time: true, range: (_, first, last) => timeRange(first, last) },
      y: { range: (_, __, top) => [0, props.max ?? Math.max(1, (top ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 28, space: 80, values: (plot, ticks) => timeLabels(plot, ticks) },
      { ...axis, size: 66, incrs: props.bytes ? BINARY_STEPS : undefined, values: (_, ticks) => ticks.map(props.format) },
    ],
    hooks: { setCursor: [showNewest], setData: [showNewest] },
    series: [
      { value: (_, time) => (time === null ? '' : formatDateTime(time * 1000)) },
      ...props.series.map((s) => ({
        label: s.label,
        stroke: color(s.color),
        fill: `${color(s.color)}1f`,
        width: 1.5,
        // One sample alone is no line.
        points: { show: (plot: uPlot) => plot.data[0].length < 2 },
        spanGaps: false,
        value: (_: uPlot, value: number | null) => (value === null ? '–' : props.format(value)),
      })),
    ],
  };
}

export default function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme('light');
  const latest = useRef(props);
  latest.current = props;
  const shape = props.series.map((s) => s.label).join('|');

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const { times, series, height } = latest.current;
    const chart = new uPlot(optionsOf(latest.current, element), [times, ...series.map((s) => s.values)], element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: height ?? 150 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [scheme, shape]);

  useEffect(() => {
    plot.current?.setData([props.times, ...props.series.map((s) => s.values)]);
  }, [props.times, props.series]);

  return <div ref={host} className={classes.chart} role="img" aria-label={props.label} />;
}
