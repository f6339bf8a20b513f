// The history of an Odoo's settings: where one could go back to, and what a change says.
import type { ConfigChange, ConfigRevision, Job } from '@/api/types';
import { settingTitle, settingValue } from './settings';

/** The newest revision before this one that a job has brought about, as far as jobs are remembered. */
export function lastInForce(history: ConfigRevision[], revision: number, jobs: Job[]): ConfigRevision | null {
  const [newest, ...older] = history;
  // Another change of the instance, such as its size, is no revision of the settings: there is nothing to go back to.
  if (newest?.revision !== revision) return null;
  const succeeded = new Set(jobs.filter(({ status }) => status === 'succeeded').map(({ id }) => id));
  return older.find(({ job_id }) => job_id == null || succeeded.has(job_id)) ?? older[0] ?? null;
}

export function changeTexts({ setting, before, after }: ConfigChange) {
  return { setting, title: settingTitle(setting), before: settingValue(setting, before), after: settingValue(setting, after) };
}
