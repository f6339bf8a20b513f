// What open notices are about.
import type { Notice, NoticeKind } from '@/api/types';
import { humanize } from '@/lib/format';
import type { Tone } from '@/lib/status';

const KINDS: Record<NoticeKind, { label: string; tone: Tone }> = {
  server_offline: { label: 'Server offline', tone: 'bad' },
  job_failed: { label: 'Job failed', tone: 'bad' },
  certificate_expiring: { label: 'Certificate ends soon', tone: 'warn' },
  disk_full: { label: 'Disk nearly full', tone: 'warn' },
  api_key_expiring: { label: 'API key ends soon', tone: 'warn' },
  webhook_disabled: { label: 'Webhook switched off', tone: 'warn' },
};

export function kindOf({ kind }: Pick<Notice, 'kind'>): { label: string; tone: Tone } {
  return KINDS[kind] ?? { label: humanize(kind), tone: 'warn' };
}

/** Where one looks at it: never anywhere but in the console. */
export function pageOf({ page, subject }: Pick<Notice, 'page' | 'subject'>): string {
  if (subject.type === 'webhook_endpoint') return `/webhooks/${subject.id}`;
  if (subject.type === 'api_key') return `/api-keys?q=${encodeURIComponent(subject.name)}`;
  return /^\/(?![/\\])/.test(page) ? page : '/';
}

export function worstTone(notices: Notice[]): Tone {
  return notices.some((notice) => kindOf(notice).tone === 'bad') ? 'bad' : 'warn';
}
