// Samples to columns, with a hole where samples are missing: a line over an outage would be a lie.
import type { MetricsSample } from '@/api/types';

export interface Columns {
  times: number[];
  columns: (number | null)[][];
}

/** Seconds that a chart shows at least: with a sample or two it would make up a scale of years. */
const LEAST_SPAN = 300;

/** What the scale of time goes from and to. */
export function timeRange(first: number | null, last: number | null): [number, number] {
  const to = last ?? 0;
  return [Math.min(first ?? to, to - LEAST_SPAN), to];
}

export function columnsOf(
  samples: MetricsSample[],
  stepSeconds: number,
  values: ((sample: MetricsSample) => number)[],
): Columns {
  const times: number[] = [];
  const columns: (number | null)[][] = values.map(() => []);
  const hole = Math.max(stepSeconds, 60) * 2.5;
  let before: number | null = null;
  for (const sample of samples) {
    const time = Date.parse(sample.at) / 1000;
    if (before !== null && time - before > hole) {
      times.push(before + 1);
      columns.forEach((column) => column.push(null));
    }
    times.push(time);
    values.forEach((value, index) => columns[index]?.push(value(sample)));
    before = time;
  }
  return { times, columns };
}
