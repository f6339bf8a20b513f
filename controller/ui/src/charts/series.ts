// Samples to columns, with a hole where samples are missing: a line over an outage would be a lie.
/** A sample of whatever kind. */
export interface Timed {
  at: string;
}

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

/** What was not measured is a hole, too. */
export function columnsOf<S extends Timed>(
  samples: S[],
  stepSeconds: number,
  values: ((sample: S) => number | null | undefined)[],
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
    values.forEach((value, index) => columns[index]?.push(value(sample) ?? null));
    before = time;
  }
  return { times, columns };
}
