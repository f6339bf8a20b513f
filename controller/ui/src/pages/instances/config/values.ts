// The form of an Odoo's settings: what it holds, what it sends, and where a refusal belongs in it.
import type { ApiError } from '@/api/errors';
import type { ConfigInput, InstanceConfig, LogLevel, Smtp, SmtpEncryption, SmtpInput } from '@/api/types';
import { touchedOf } from '@/pages/settingsForm';

/** What is typed in a field for a number; empty: oCore or Odoo decides. */
type Typed = number | string;

export interface MailValues {
  on: boolean;
  host: string;
  port: Typed;
  encryption: SmtpEncryption;
  user: string;
  password: string;
  /** The stored password goes. */
  forget: boolean;
  from: string;
  from_filter: string;
}

/** By the API's own names, so that what was touched and what is refused need no table. */
export interface ConfigValues {
  /** Null: sized by oCore. */
  workers: Typed | null;
  users: Typed;
  max_cron_threads: Typed;
  limit_memory_soft_mb: Typed;
  limit_memory_hard_mb: Typed;
  limit_time_cpu: Typed;
  limit_time_real: Typed;
  limit_time_real_cron: Typed;
  limit_request: Typed;
  db_maxconn: Typed;
  log_level: LogLevel;
  log_handler: string[];
  server_wide_modules: string[];
  unaccent: boolean;
  proxy_mode: 'auto' | 'on' | 'off';
  timezone: string | null;
  smtp: MailValues;
  extra_conf: { key: string; value: string }[];
}

export const SUBMISSION = 587;

function mailValues(smtp: Smtp | null | undefined): MailValues {
  return {
    on: smtp != null,
    host: smtp?.host ?? '',
    port: smtp?.port ?? SUBMISSION,
    encryption: smtp?.encryption ?? 'starttls',
    user: smtp?.user ?? '',
    password: '',
    forget: false,
    from: smtp?.from ?? '',
    from_filter: smtp?.from_filter ?? '',
  };
}

export function valuesOf(config: InstanceConfig): ConfigValues {
  return {
    workers: config.workers ?? null,
    users: config.users ?? '',
    max_cron_threads: config.max_cron_threads ?? '',
    limit_memory_soft_mb: config.limit_memory_soft_mb ?? '',
    limit_memory_hard_mb: config.limit_memory_hard_mb ?? '',
    limit_time_cpu: config.limit_time_cpu ?? '',
    limit_time_real: config.limit_time_real ?? '',
    limit_time_real_cron: config.limit_time_real_cron ?? '',
    limit_request: config.limit_request ?? '',
    db_maxconn: config.db_maxconn ?? '',
    log_level: config.log_level,
    log_handler: config.log_handler,
    server_wide_modules: config.server_wide_modules,
    unaccent: config.unaccent,
    proxy_mode: config.proxy_mode == null ? 'auto' : config.proxy_mode ? 'on' : 'off',
    timezone: config.timezone ?? null,
    smtp: mailValues(config.smtp),
    extra_conf: Object.entries(config.extra_conf).map(([key, value]) => ({ key, value })),
  };
}

function number(typed: Typed | null): number | null {
  return typed === '' || typed === null ? null : Number(typed);
}

function smtpOf(mail: MailValues): SmtpInput | null {
  // Without a name there is no server yet.
  if (!mail.on || !mail.host.trim()) return null;
  return {
    host: mail.host.trim(),
    port: Number(mail.port) || SUBMISSION,
    encryption: mail.encryption,
    user: mail.user.trim() || null,
    from: mail.from.trim() || null,
    from_filter: mail.from_filter.trim() || null,
    ...(mail.password ? { password: mail.password } : mail.forget && { has_password: false }),
  };
}

function bodyOf(values: ConfigValues): ConfigInput {
  return {
    workers: number(values.workers),
    users: number(values.users),
    max_cron_threads: number(values.max_cron_threads),
    limit_memory_soft_mb: number(values.limit_memory_soft_mb),
    limit_memory_hard_mb: number(values.limit_memory_hard_mb),
    limit_time_cpu: number(values.limit_time_cpu),
    limit_time_real: number(values.limit_time_real),
    limit_time_real_cron: number(values.limit_time_real_cron),
    limit_request: number(values.limit_request),
    db_maxconn: number(values.db_maxconn),
    log_level: values.log_level,
    log_handler: values.log_handler,
    server_wide_modules: values.server_wide_modules,
    unaccent: values.unaccent,
    proxy_mode: values.proxy_mode === 'auto' ? null : values.proxy_mode === 'on',
    timezone: values.timezone,
    smtp: smtpOf(values.smtp),
    extra_conf: Object.fromEntries(values.extra_conf.filter(({ key }) => key.trim()).map(({ key, value }) => [key.trim(), value])),
  };
}

/** What was touched, and nothing else: the rest may have been changed by somebody meanwhile. */
export function changesOf(values: ConfigValues, isTouched: (field: string) => boolean): ConfigInput {
  return touchedOf(bodyOf(values), isTouched);
}

/** For a look at what it would come to: a password that is being typed goes nowhere before it is saved. */
export function withoutPassword(body: ConfigInput): ConfigInput {
  return body.smtp?.password ? { ...body, smtp: { ...body.smtp, password: 'not yet' } } : body;
}

/** Whether the stored password still counts: it is never sent to another server, or as another user. */
export function keepsPassword(stored: Smtp | null | undefined, mail: MailValues): boolean {
  return stored?.has_password === true && !mail.forget && stored.host === mail.host.trim() && (stored.user ?? '') === mail.user.trim();
}

export function mailProblem({ on, host }: MailValues): string | null {
  return on && !host.trim() ? 'Name the server, or switch mail off' : null;
}

export function keyProblem(key: string, all: ConfigValues['extra_conf']): string | null {
  if (!key.trim()) return 'Name the key, or remove the line';
  return all.filter((other) => other.key.trim() === key.trim()).length > 1 ? 'The key is there twice' : null;
}

/** A refusal's messages by the form's fields; what has no field here is told for the whole form. */
export function messagesOf(problem: ApiError, values: ConfigValues): Record<string, string> {
  const messages: Record<string, string> = {};
  for (const { field, constraint, message } of problem.fields) {
    const place = placeOf(field.replace(/\[.*$/, ''), constraint, values);
    if (place) messages[place] ??= message;
  }
  return messages;
}

function placeOf(field: string, constraint: string, values: ConfigValues): string | null {
  const [setting = '', ...rest] = field.split('.');
  if (!(setting in values)) return null;
  if (field === 'smtp.has_password') return 'smtp.password';
  if (setting !== 'extra_conf') return field === 'smtp' ? 'smtp.host' : field;
  const row = values.extra_conf.findIndex(({ key }) => key.trim() === rest.join('.'));
  return row < 0 ? setting : `extra_conf.${row}.${constraint === 'conf_value_invalid' ? 'value' : 'key'}`;
}
