import type { Instance, InstanceStatus } from '@/api/types';

export type InstanceAction = 'start' | 'stop' | 'restart' | 'kill';

const ALLOWED: Record<InstanceAction, InstanceStatus[]> = {
  start: ['stopped', 'error'],
  stop: ['running', 'error'],
  restart: ['running', 'error'],
  kill: ['running', 'starting', 'stopping', 'restarting', 'error'],
};

/** Whether an action makes sense now; the API has the last word. */
export function isAllowed(action: InstanceAction, status: InstanceStatus): boolean {
  return ALLOWED[action].includes(status);
}

/** Odoo's database has to run, and a password of Odoo's own needs no more than its length. */
export function takesPassword({ status, active_job_id }: Pick<Instance, 'status' | 'active_job_id'>): boolean {
  return (status === 'running' || status === 'error') && active_job_id == null;
}

export function adminPasswordProblem(password: string): string | null {
  const { length } = [...password];
  return length >= 8 && length <= 128 ? null : 'From 8 to 128 characters';
}

/** Whether deleting takes the data too, asked for or not. */
export function alwaysPurged(instance: Pick<Instance, 'environment_type'>): boolean {
  return instance.environment_type === 'development';
}
