// What the settings of an Odoo are called, and their values as people read them.
import type { LogLevel, SmtpEncryption } from '@/api/types';

export const LABELS = {
  workers: 'Workers',
  users: 'People at a time',
  max_cron_threads: 'Scheduled actions',
  limit_memory_soft_mb: 'Soft memory limit',
  limit_memory_hard_mb: 'Hard memory limit',
  limit_time_cpu: 'Processor time of a request',
  limit_time_real: 'Time of a request',
  limit_time_real_cron: 'Time of a scheduled action',
  limit_request: 'Requests of a worker',
  db_maxconn: 'Database connections',
  log_level: 'Log level',
  log_handler: 'Levels of single loggers',
  server_wide_modules: 'Modules for the whole server',
  unaccent: 'Search without regard to accents',
  proxy_mode: 'Trust the headers of a proxy',
  timezone: 'Time zone',
  smtp: 'Mail server',
  'smtp.host': 'Mail server',
  'smtp.port': 'Mail port',
  'smtp.encryption': 'Mail encryption',
  'smtp.user': 'Mail user',
  'smtp.has_password': 'Mail password',
  'smtp.from': 'Sender',
  'smtp.from_filter': 'May send for',
} as const;

/** Of every field for a whole number; what is too much is the controller's to say. */
export const whole = { min: 0, allowDecimal: false, allowNegative: false, clampBehavior: 'none' } as const;

export const LOG_LEVELS: Record<LogLevel, string> = {
  critical: 'Critical only',
  error: 'Errors',
  warn: 'Warnings',
  info: 'Info',
  debug: 'Debug',
  debug_rpc: 'Debug, with each request',
  debug_rpc_answer: 'Debug, with each request and its answer',
  debug_sql: 'Debug, with each statement of SQL',
};

export const ENCRYPTIONS: Record<SmtpEncryption, string> = { starttls: 'STARTTLS', none: 'None' };

/** Words for null; the rest is decided by oCore, or left to Odoo. */
const ABSENT: Record<string, string> = {
  workers: 'sized',
  users: 'not known',
  timezone: 'not set',
  smtp: 'not set',
  extra_conf: 'not set',
};

/** `extra_conf.csv_internal_sep` goes by its own key. */
export function settingTitle(setting: string): string {
  return LABELS[setting as keyof typeof LABELS] ?? setting.replace(/^extra_conf\./, '');
}

/** A value of the history; the document says nothing of its type. */
export function settingValue(setting: string, value: unknown): string {
  if (value === null || value === undefined) return ABSENT[setting.split('.')[0] ?? ''] ?? 'by itself';
  if (setting === 'smtp.encryption') return ENCRYPTIONS[value as SmtpEncryption] ?? String(value);
  if (setting === 'smtp.has_password') return value ? 'stored' : 'none';
  if (setting === 'log_level') return LOG_LEVELS[value as LogLevel] ?? String(value);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.length > 0 ? value.join(', ') : 'none';
  return typeof value === 'object' ? JSON.stringify(value) : String(value) || 'empty';
}
