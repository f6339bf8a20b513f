// What the API says and takes, by the names that the rest of the console uses.
//
// `npm run generate` writes schema.ts from the controller's OpenAPI document; these names can then become
// `components['schemas'][…]` without a change elsewhere.

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
  has_more: boolean;
}

export interface FieldProblem {
  field: string;
  constraint?: string;
  message: string;
}

export interface ErrorBody {
  error: {
    code: string;
    message: string;
    details?: { field?: string; constraint?: string } | null;
    errors?: FieldProblem[] | null;
    request_id?: string;
  };
}

export interface Accepted {
  id: string;
  status: string;
  message: string;
  job_id: string;
}

export interface Reference {
  type: string;
  id: string | null;
  name: string | null;
}

// Who

export interface Membership {
  id: string;
  slug: string;
  name: string;
  role: string;
  permissions: string[];
}

export interface User {
  id: string;
  email: string;
  name: string;
  is_admin: boolean;
  created_at: string;
  organizations: Membership[];
}

export interface BootstrapStatus {
  needed: boolean;
  token_required: boolean;
  version: string;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  permissions: string[];
  expires_at: string | null;
  last_used_at: string | null;
  created_at: string;
  revoked_at: string | null;
}

// Servers

export const SERVER_STATUSES = [
  'pending', 'provisioning', 'online', 'degraded', 'offline', 'maintenance', 'reconcile', 'locked', 'removing',
] as const;
export type ServerStatus = (typeof SERVER_STATUSES)[number];

export const INSTALL_STAGES = ['fetched', 'verified', 'enrolled', 'tunnel', 'docker'] as const;
export type InstallStage = (typeof INSTALL_STAGES)[number];

export interface DockerStatus {
  available: boolean;
  version?: string | null;
  api_version?: string | null;
  storage_driver?: string | null;
  problem?: string | null;
}

export interface Facts {
  hostname: string;
  os_name: string;
  os_version: string;
  kernel: string;
  arch: string;
  cpu_model: string;
  cpu_cores: number;
  memory_total_bytes: number;
  swap_total_bytes: number;
  disk_total_bytes: number;
  boot_time: string | null;
  timezone: string;
  addresses: string[];
  systemd: boolean;
  agent_version: string;
  docker: DockerStatus;
}

export interface MetricsSample {
  at: string;
  cpu_percent: number;
  load_1m: number;
  load_5m: number;
  load_15m: number;
  memory_total_bytes: number;
  memory_used_bytes: number;
  memory_available_bytes: number;
  swap_used_bytes: number;
  disk_total_bytes: number;
  disk_used_bytes: number;
  disk_read_bytes_per_second: number;
  disk_write_bytes_per_second: number;
  network_rx_bytes_per_second: number;
  network_tx_bytes_per_second: number;
  containers_running: number;
  containers_total: number;
  processes: number;
  uptime_seconds: number;
  agent_memory_bytes: number;
}

export const PERIODS = ['1h', '6h', '24h', '7d', '30d'] as const;
export type Period = (typeof PERIODS)[number];

export interface MetricsSeries {
  period: string;
  step_seconds: number;
  data: MetricsSample[];
}

export interface ContainerInfo {
  id: string;
  name: string;
  image: string;
  state: string;
  health?: string | null;
  exit_code?: number | null;
  created_at?: string | null;
  started_at?: string | null;
  finished_at?: string | null;
  ports: string[];
  managed: boolean;
  labels: Record<string, string>;
}

export interface Server {
  id: string;
  name: string;
  description: string | null;
  labels: Record<string, string>;
  schedulable: boolean;
  status: ServerStatus;
  status_reason: string | null;
  install_stage: InstallStage | null;
  install_stages: { stage: InstallStage; at: string }[];
  install_problem: string | null;
  facts: Facts | null;
  agent_version: string | null;
  last_seen_at: string | null;
  usage: MetricsSample | null;
  instances_count: number;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface InstallCommand {
  command: string;
  uninstall_command?: string;
  token_expires_at: string;
  addresses?: string[];
  pin?: string;
}

export interface ServerCreate {
  name: string;
  description?: string;
  labels?: Record<string, string>;
}

export interface ServerPatch {
  name?: string;
  description?: string | null;
  labels?: Record<string, string>;
  schedulable?: boolean;
}

// Instances

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

// Jobs and events

export const JOB_STATUSES = ['queued', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export type StepStatus = 'pending' | 'running' | 'succeeded' | 'failed' | 'skipped' | 'undone';

export interface Progress {
  done: number;
  total: number | null;
  unit: string;
}

export interface StepSnapshot {
  name: string;
  title: string;
  status: StepStatus;
  started_at?: string | null;
  finished_at?: string | null;
  progress?: Progress | null;
  message?: string | null;
}

export interface JobFailure {
  code: string;
  message: string;
  retryable: boolean;
}

export interface Job {
  id: string;
  kind: string;
  status: JobStatus;
  organization_id: string | null;
  server_id: string | null;
  instance_id: string | null;
  parent_id: string | null;
  subject: Reference | null;
  steps: StepSnapshot[];
  attempts: number;
  failure: JobFailure | null;
  cancel_requested: boolean;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  deadline_at: string | null;
  created_by: Reference | null;
}

export interface JobLogLine {
  seq: number;
  at: string;
  step?: string | null;
  text: string;
}

export interface Event {
  id: string;
  type: string;
  created_at: string;
  organization_id: string | null;
  actor: Reference | null;
  subject: Reference | null;
  data: Record<string, unknown>;
}
