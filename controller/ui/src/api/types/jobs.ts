// Work, and what happened.

import type { Reference } from './common';

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
