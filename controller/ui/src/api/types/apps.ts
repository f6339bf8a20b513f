// Instances of Odoo.

export const INSTANCE_STATUSES = [
  'pending', 'provisioning', 'running', 'stopped', 'starting', 'stopping', 'restarting', 'updating', 'restoring',
  'migrating', 'error', 'removing',
] as const;
export type InstanceStatus = (typeof INSTANCE_STATUSES)[number];

export type Health = 'unknown' | 'starting' | 'healthy' | 'unhealthy';

export interface Limits {
  cpus: number;
  memory_mb: number;
}

export interface Instance {
  id: string;
  name: string;
  slug: string;
  project_id: string | null;
  environment_id: string | null;
  environment_type: string | null;
  server_id: string;
  server_name: string | null;
  odoo_version: string;
  image: string;
  image_digest: string | null;
  status: InstanceStatus;
  status_reason: string | null;
  desired_state: 'running' | 'stopped';
  health: Health;
  url: string | null;
  http_port: number | null;
  bind_address: string | null;
  admin_login: string;
  language: string;
  country: string | null;
  demo_data: boolean;
  modules: string[];
  limits: Limits;
  env: Record<string, string>;
  labels: Record<string, string>;
  database_name: string;
  active_job_id: string | null;
  last_job_id: string | null;
  container_id: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface InstanceCreate {
  name: string;
  slug?: string;
  server_id: string;
  odoo_version?: string;
  image?: string;
  admin_email: string;
  admin_password: string;
  language?: string;
  country?: string;
  demo_data?: boolean;
  modules?: string[];
  limits?: Limits;
}

export interface InstancePatch {
  name?: string;
  labels?: Record<string, string>;
  limits?: Limits;
}

export type InstanceAction = 'start' | 'stop' | 'restart' | 'kill';

export interface ContainerStats {
  at: string;
  cpu_percent: number;
  memory_used_bytes: number | null;
  memory_limit_bytes: number | null;
  network_rx_bytes: number;
  network_tx_bytes: number;
  block_read_bytes: number;
  block_write_bytes: number;
  pids: number | null;
}

export interface LogRecord {
  cursor: string;
  at: string;
  stream: string;
  text: string;
  dropped?: number | null;
  level?: string | null;
}

export interface LogPage {
  lines: LogRecord[];
  previous_cursor: string | null;
  has_more: boolean;
}
