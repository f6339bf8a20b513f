// Servers: what is wished of them and what their agents report.

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
  description: string;
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
  description?: string;
  labels?: Record<string, string>;
  schedulable?: boolean;
}
