// The operations on webhooks, notices and the organization's audit log.
import type { Id, Operation, Paging } from './operation';
import type * as t from './types';

type OfDelivery = { path: { delivery_id: string } };

export interface SignalsPaths {
  '/api/webhook-endpoints': {
    get: Operation<t.Page<t.WebhookEndpoint>, { query: Paging & { q?: string; active?: boolean } }>;
    post: Operation<t.WebhookMade, { body: t.WebhookInput }>;
  };
  '/api/webhook-endpoints/{id}': {
    get: Operation<t.WebhookEndpoint, Id>;
    patch: Operation<t.WebhookEndpoint, Id & { body: Partial<t.WebhookInput> }>;
    delete: Operation<never, Id & { query: { dry_run?: boolean } }>;
  };
  '/api/webhook-endpoints/{id}/test': { post: Operation<t.WebhookTest, Id> };
  '/api/webhook-endpoints/{id}/rotate-secret': { post: Operation<t.WebhookMade, Id> };
  '/api/webhook-endpoints/{id}/deliveries': {
    get: Operation<
      t.Page<t.WebhookDelivery>,
      Id & { query: Paging & { status?: t.DeliveryStatus; event_type?: string; event_id?: string; subject_id?: string } }
    >;
  };
  '/api/webhook-deliveries/{delivery_id}': { get: Operation<t.WebhookDelivery, OfDelivery> };
  '/api/webhook-deliveries/{delivery_id}/replay': { post: Operation<t.Accepted, OfDelivery> };
  '/api/webhook-events': { get: Operation<t.Page<t.EventType>> };

  '/api/notices': { get: Operation<t.Page<t.OpenNotice>, { query: Paging & { kind?: string } }> };

  '/api/audit-logs': { get: Operation<t.Page<t.AuditEntry>, { query: Paging & t.AuditFilter }> };
  '/api/audit-logs/verify': { get: Operation<t.Verification> };
}
