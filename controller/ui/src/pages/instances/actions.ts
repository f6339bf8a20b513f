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

/** Whether deleting takes the data too, asked for or not. */
export function alwaysPurged(instance: Pick<Instance, 'environment_type'>): boolean {
  return instance.environment_type === 'development';
}
