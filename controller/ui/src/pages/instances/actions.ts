import type { Instance, InstanceStatus, UpgradeInput } from '@/api/types';

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

/** Whether its image or its addons can be changed: they are tried with the Odoo that runs. */
export function takesUpgrade({ status, active_job_id, container_id }: Pick<Instance, 'status' | 'active_job_id' | 'container_id'>): boolean {
  return (status === 'running' || status === 'error') && active_job_id == null && container_id != null;
}

export function imageProblem(image: string): string | null {
  if (!image.trim()) return 'Which image? Such as odoo:18.0';
  return /^[a-zA-Z0-9][a-zA-Z0-9._:/@-]{0,254}$/.test(image.trim()) ? null : 'This is no image like registry.example.com/acme/odoo:18.0';
}

/** Without an image it is what the present one's tag stands for now. */
export function upgradeInput(image: string, present: string, way: Omit<UpgradeInput, 'image'>): UpgradeInput {
  return image.trim() === present ? way : { ...way, image: image.trim() };
}
