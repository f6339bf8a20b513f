// Carries the effects of live messages out on the query cache. Many changes that arrive together cost one refetch.
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { keys, metricsQuery } from '@/api/queries';
import type { Job, Page, Server } from '@/api/types';
import { appendSample, withProgress, type Effect, type SubjectType } from './reducer';

const LISTS: Record<SubjectType, QueryKey> = {
  server: keys.servers,
  instance: keys.instances,
  project: keys.projects,
  environment: keys.environments,
  job: keys.jobs,
  api_key: keys.apiKeys,
  organization: keys.organization,
  member: keys.members,
  invitation: keys.invitations,
  role: keys.roles,
  service_account: keys.serviceAccounts,
  registry: keys.registries,
  backup_destination: keys.destinations,
  webhook_endpoint: keys.webhooks,
  notice: keys.notices,
};

/** What shows something of another object: a project its environments' number, an environment its project's name. */
const SHOWN_BY: Partial<Record<SubjectType, QueryKey[]>> = {
  project: [keys.environments, ['environment']],
  environment: [keys.projects, ['project']],
  role: [['member']],
};

/** What decides on what the person at the console sees and may do. */
const RIGHTS: readonly SubjectType[] = ['organization', 'member', 'role'];

/** What counts servers or instances. */
const COUNTED: QueryKey[] = [keys.counts, keys.projects, ['project'], keys.environments];

const SOON_MS = 250;
const COUNTS_MS = 5_000;

export class CacheUpdater {
  private pending = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private countsTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: QueryClient) {}

  apply(effect: Effect): void {
    switch (effect.kind) {
      case 'reset':
        void this.client.invalidateQueries();
        break;
      case 'refetch':
        this.refetchSoon(LISTS[effect.subject]);
        if (effect.id && effect.subject !== 'api_key') this.refetchSoon([effect.subject, effect.id]);
        if (RIGHTS.includes(effect.subject)) this.refetchSoon(keys.user);
        SHOWN_BY[effect.subject]?.forEach((key) => this.refetchSoon(key));
        if (effect.subject === 'server' || effect.subject === 'instance') this.countSoon();
        break;
      case 'metrics':
        this.addSample(effect);
        break;
      case 'progress':
        this.client.setQueryData<Job>(keys.job(effect.jobId), (job) => job && withProgress(job, effect.step, effect.progress));
        break;
      case 'happened':
        break;
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.countsTimer);
  }

  private refetchSoon(key: QueryKey): void {
    this.pending.set(JSON.stringify(key), key);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const due = [...this.pending.values()];
      this.pending.clear();
      for (const queryKey of due) void this.client.invalidateQueries({ queryKey });
    }, SOON_MS);
  }

  private countSoon(): void {
    this.countsTimer ??= setTimeout(() => {
      this.countsTimer = undefined;
      for (const queryKey of COUNTED) void this.client.invalidateQueries({ queryKey });
    }, COUNTS_MS);
  }

  private addSample({ serverId, sample }: Extract<Effect, { kind: 'metrics' }>): void {
    this.client.setQueryData<Server>(keys.server(serverId), (server) => server && { ...server, usage: sample });
    this.client.setQueryData(
      metricsQuery(serverId, '1h').queryKey,
      (series) => series && { ...series, data: appendSample(series.data, sample, 3_600_000) },
    );
    this.client.setQueriesData<Page<Server>>({ queryKey: keys.servers }, (page) => {
      if (!page?.data.some((server) => server.id === serverId)) return page;
      return { ...page, data: page.data.map((s) => (s.id === serverId ? { ...s, usage: sample } : s)) };
    });
  }
}
