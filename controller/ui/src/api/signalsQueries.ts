// What the console reads of webhooks, notices and the audit log.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, type ListParams } from './queries';
import type { AuditFilter, DeliveryStatus } from './types';

export const webhooksQuery = (query: ListParams & { active?: boolean }) =>
  queryOptions({
    queryKey: [...keys.webhooks, query],
    queryFn: ({ signal }) => unwrap(api.GET('/api/webhook-endpoints', { params: { query }, signal })),
    // That one begins to fail is no event.
    refetchInterval: 30_000,
  });

export const webhookQuery = (id: string) =>
  queryOptions({
    queryKey: keys.webhook(id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/webhook-endpoints/{id}', { params: { path: { id } }, signal })),
    refetchInterval: 30_000,
  });

export const eventTypesQuery = queryOptions({
  queryKey: [...keys.webhooks, 'events'],
  queryFn: async ({ signal }) => (await unwrap(api.GET('/api/webhook-events', { signal }))).data,
  staleTime: 10 * 60_000,
});

export interface DeliveryParams extends Omit<ListParams, 'q'> {
  status?: DeliveryStatus;
  event_type?: string;
  subject_id?: string;
  event_id?: string;
}

export const deliveriesQuery = (id: string, query: DeliveryParams) =>
  queryOptions({
    queryKey: [...keys.deliveries, id, query],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/webhook-endpoints/{id}/deliveries', { params: { path: { id }, query }, signal })),
    // Deliveries tell nothing by themselves: a look now and then, a closer one while something is on its way.
    refetchInterval: ({ state }) => (state.data?.data.some((delivery) => delivery.status === 'pending') ? 3_000 : 15_000),
  });

export const deliveryQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.deliveries, 'one', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/webhook-deliveries/{delivery_id}', { params: { path: { delivery_id: id } }, signal })),
    refetchInterval: ({ state }) => (state.data?.status === 'pending' ? 2_000 : false),
  });

export const noticesQuery = queryOptions({
  queryKey: keys.notices,
  queryFn: ({ signal }) => unwrap(api.GET('/api/notices', { params: { query: { limit: 100 } }, signal })),
  refetchInterval: 60_000,
});

const AUDIT_PAGE = 50;

export const auditQuery = (filter: AuditFilter, ofPlatform: boolean) =>
  infiniteQueryOptions({
    queryKey: [...keys.audit, ofPlatform ? 'platform' : 'organization', filter],
    queryFn: ({ pageParam, signal }) => {
      const options = { params: { query: { ...filter, limit: AUDIT_PAGE, cursor: pageParam } }, signal };
      return unwrap(ofPlatform ? api.GET('/api/admin/audit-logs', options) : api.GET('/api/audit-logs', options));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
