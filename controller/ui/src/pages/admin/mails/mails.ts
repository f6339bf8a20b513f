import type { MailStatus } from '@/api/types';
import type { State } from '@/lib/status';

export const mailState: Record<MailStatus, State> = {
  queued: { label: 'On its way', tone: 'busy' },
  sent: { label: 'Sent', tone: 'good' },
  failed: { label: 'Failed', tone: 'bad' },
  kept: { label: 'Kept', tone: 'warn' },
};
