// The word and the tone of every state. Tones are named in theme.ts.
import type { InstanceHealth, InstanceStatus, InvitationStatus, JobStatus, ServerStatus, StepStatus } from '@/api/types';

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'idle';

export interface State {
  label: string;
  tone: Tone;
}

export const serverState: Record<ServerStatus, State> = {
  pending: { label: 'Waiting for install', tone: 'idle' },
  provisioning: { label: 'Installing', tone: 'busy' },
  online: { label: 'Online', tone: 'good' },
  degraded: { label: 'Degraded', tone: 'warn' },
  offline: { label: 'Offline', tone: 'bad' },
  maintenance: { label: 'Maintenance', tone: 'warn' },
  reconcile: { label: 'Needs a decision', tone: 'warn' },
  locked: { label: 'Locked', tone: 'bad' },
  removing: { label: 'Removing', tone: 'busy' },
};

export const instanceState: Record<InstanceStatus, State> = {
  pending: { label: 'Pending', tone: 'idle' },
  provisioning: { label: 'Provisioning', tone: 'busy' },
  running: { label: 'Running', tone: 'good' },
  stopped: { label: 'Stopped', tone: 'idle' },
  starting: { label: 'Starting', tone: 'busy' },
  stopping: { label: 'Stopping', tone: 'busy' },
  restarting: { label: 'Restarting', tone: 'busy' },
  updating: { label: 'Updating', tone: 'busy' },
  restoring: { label: 'Restoring', tone: 'busy' },
  migrating: { label: 'Migrating', tone: 'busy' },
  error: { label: 'Error', tone: 'bad' },
  removing: { label: 'Removing', tone: 'busy' },
};

export const healthState: Record<InstanceHealth, State> = {
  unknown: { label: 'Health unknown', tone: 'idle' },
  starting: { label: 'Warming up', tone: 'busy' },
  healthy: { label: 'Healthy', tone: 'good' },
  unhealthy: { label: 'Unhealthy', tone: 'bad' },
};

export const jobState: Record<JobStatus, State> = {
  queued: { label: 'Queued', tone: 'idle' },
  dispatched: { label: 'Handed over', tone: 'busy' },
  running: { label: 'Running', tone: 'busy' },
  succeeded: { label: 'Succeeded', tone: 'good' },
  failed: { label: 'Failed', tone: 'bad' },
  cancelled: { label: 'Cancelled', tone: 'warn' },
};

export const stepState: Record<StepStatus, State> = {
  pending: { label: 'Waiting', tone: 'idle' },
  running: { label: 'Running', tone: 'busy' },
  succeeded: { label: 'Done', tone: 'good' },
  failed: { label: 'Failed', tone: 'bad' },
  skipped: { label: 'Skipped', tone: 'idle' },
  undone: { label: 'Taken back', tone: 'warn' },
};

export const invitationState: Record<InvitationStatus, State> = {
  pending: { label: 'Waiting', tone: 'busy' },
  accepted: { label: 'Accepted', tone: 'good' },
  expired: { label: 'Expired', tone: 'warn' },
  cancelled: { label: 'Taken back', tone: 'idle' },
};

export function containerTone(state: string, health: string | null | undefined): Tone {
  if (health === 'unhealthy' || state === 'dead') return 'bad';
  if (state === 'running') return health === 'starting' ? 'busy' : 'good';
  return state === 'restarting' || state === 'paused' ? 'warn' : 'idle';
}

/** A state that this version of the console does not know is shown by its own name. */
export function stateOf<K extends string>(states: Record<K, State>, key: K): State {
  return states[key] ?? { label: key, tone: 'idle' };
}

export function isFinished(status: JobStatus): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}
