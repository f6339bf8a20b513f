import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { platformSettingsQuery } from '@/api/adminQueries';
import { api, unwrap } from '@/api/client';
import { asApiError, type ApiError } from '@/api/errors';
import type { SettingsView, PlatformSettingsUpdate } from '@/api/types';

interface Saving {
  /** The version that is shown. */
  version: number;
  onSaved: (settings: SettingsView) => void;
  /** `fresh` where somebody else has changed them meanwhile. */
  onRefused?: (problem: ApiError, fresh: SettingsView | null) => void;
}

/** Changes one group of the platform's settings. */
export function useSaveSettings({ version, onSaved, onRefused }: Saving) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: PlatformSettingsUpdate) =>
      unwrap(api.PUT('/api/admin/settings', { headers: { 'If-Match': `"${version}"` }, body })),
    meta: { showsError: true },
    onSuccess: (saved) => {
      client.setQueryData(platformSettingsQuery.queryKey, saved);
      onSaved(saved);
      notifications.show({ message: 'Saved' });
    },
    onError: async (error) => {
      const problem = asApiError(error);
      const fresh = problem.status === 412 ? await client.fetchQuery({ ...platformSettingsQuery, staleTime: 0 }) : null;
      onRefused?.(problem, fresh);
    },
  });
}
