// Webhooks, what was sent to them, and notices.

import type { Event } from './jobs';

export interface WebhookEndpoint {
  id: string;
  url: string;
  description: string;
  /** `*` stands for all. */
  events: string[];
  active: boolean;
  /** Why it was switched off, where nobody did it by hand. */
  disabled_reason: string | null;
  failing_since: string | null;
  previous_secret_until: string | null;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface WebhookInput {
  url: string;
  description: string;
  events: string[];
  active: boolean;
}

/** With the secret, this once. */
export interface WebhookMade extends WebhookEndpoint {
  secret: string;
}

export interface WebhookAttempt {
  number: number;
  started_at: string;
  milliseconds: number;
  /** None: there was no answer. */
  status: number | null;
  request_headers: Record<string, string>;
  response_headers: Record<string, string> | null;
  response_body: string | null;
  problem: string | null;
}

export interface WebhookTest extends WebhookAttempt {
  delivered: boolean;
}

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed', 'cancelled'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface WebhookDelivery {
  id: string;
  endpoint_id: string;
  event_id: string;
  event_type: string;
  subject_id: string;
  status: DeliveryStatus;
  out_of_order: boolean;
  replay_of: string | null;
  attempt_count: number;
  /** The newest ten, the newest first. */
  attempts: WebhookAttempt[];
  payload: Event;
  next_attempt_at: string | null;
  finished_at: string | null;
  created_at: string;
}

export interface EventType {
  type: string;
  description: string;
  sample: Event;
}

export interface OpenNotice {
  id: string;
  kind: string;
  /** None: it concerns the platform itself. */
  organization_id: string | null;
  subject: { type: string; id: string; name: string };
  message: string;
  /** Page of the console where it is looked at. */
  page: string;
  raised_at: string;
}
