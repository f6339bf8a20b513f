import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
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
    queryKey: [...keys.instance(id), 'config-preview', config.version, asked],
    queryFn: ({ signal }) =>
      unwrap(
        api.PUT('/api/instances/{id}/config', {
          params: { path: { id }, query: { dry_run: true } },
          body: JSON.parse(asked) as ConfigInput,
          signal,
        }),
      ) as Promise<InstanceConfig>,
    enabled: enabled && touched && asked !== '{}',
    retry: false,
    gcTime: 60_000,
  });
  // While one is asked for, or something is refused, the last one stays in sight.
  const [last, setLast] = useState<InstanceConfig | null>(null);
  useEffect(() => setLast((before) => (touched ? (data ?? before) : null)), [touched, data]);
  const isAnswer = touched && asked === words;
  return { shown: (touched && last) || config, error: isAnswer ? error : null, answered: isAnswer && data !== undefined };
}
