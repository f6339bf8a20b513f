// How far an installation is, from what the controller has seen of it.
import { installStageValues, type InstallStage, type Server, type StepStatus } from '@/api/types';

const TITLES: Record<InstallStage, string> = {
  fetched: 'The server fetched the installer',
  verified: 'The agent was downloaded and its signature verified',
  enrolled: 'The server enrolled and has its certificate',
  tunnel: 'The agent is connected',
  docker: 'Docker answers',
};

const QUIET_MS = 60_000;

export interface InstallRow {
  stage: InstallStage;
  title: string;
  status: Extract<StepStatus, 'pending' | 'running' | 'succeeded' | 'failed'>;
  at: string | null;
  problem: string | null;
}

export function installRows(server: Server | undefined): InstallRow[] {
  const seen = new Map(server?.install_stages.map(({ stage, at }) => [stage, at]));
  // A later stage proves the ones before it, also if their report was lost.
  const reached = Math.max(-1, ...installStageValues.map((stage, index) => (seen.has(stage) ? index : -1)));
  return installStageValues.map((stage, index) => {
    const done = index <= reached;
    const next = index === reached + 1;
    const problem = next ? (server?.install_problem ?? null) : null;
    return {
      stage,
      title: TITLES[stage],
      status: done ? 'succeeded' : problem ? 'failed' : next && server ? 'running' : 'pending',
      at: seen.get(stage) ?? null,
      problem,
    };
  });
}

/** Whether a minute has gone by without anything new, so that advice is due. */
export function isQuietTooLong(server: Server | undefined, since: number, now: number): boolean {
  const newest = Math.max(since, ...(server?.install_stages.map(({ at }) => Date.parse(at)) ?? []));
  return now - newest >= QUIET_MS;
}
