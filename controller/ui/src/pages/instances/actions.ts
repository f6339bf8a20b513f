import type { InstanceAction, InstanceStatus } from '@/api/types';

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
