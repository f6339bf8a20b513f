import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { ConfigInput, InstanceConfig } from '@/api/types';
import { withoutPassword } from './values';

const PAUSE_MS = 400;

/** What the settings would come to, as the controller says it once the typing pauses. */
export function usePreview(config: InstanceConfig, changes: ConfigInput, enabled: boolean) {
  const id = config.instance_id;
  const words = JSON.stringify(withoutPassword(changes));
  const [asked] = useDebouncedValue(words, PAUSE_MS);
  const touched = words !== '{}';
  const { data, error } = useQuery({
    queryKey: [...keys.instance(id), 'config-preview', asked],
    queryFn: ({ signal }) =>
      unwrap(
        api.PUT('/api/instances/{id}/config', {
          params: { path: { id }, query: { dry_run: true } },
          body: JSON.parse(asked) as ConfigInput,
          signal,
        }),
      ) as Promise<InstanceConfig>,
    enabled: enabled && touched && asked !== '{}',
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 60_000,
  });
  // While something is refused, the last that was not stays in sight.
  const last = useRef<InstanceConfig | null>(null);
  if (data && touched) last.current = data;
  if (!touched) last.current = null;
  return { shown: last.current ?? config, error: touched && asked === words ? error : null, answered: touched && asked === words && data !== undefined };
}
