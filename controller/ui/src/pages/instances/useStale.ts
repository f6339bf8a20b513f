import { useQueryClient } from '@tanstack/react-query';
import { keys } from '@/api/queries';

/** What is read anew when something was asked of an instance: all of it, and the jobs. */
export function useStale(instanceId: string) {
  const client = useQueryClient();
  return () => {
    void client.invalidateQueries({ queryKey: keys.instance(instanceId) });
    void client.invalidateQueries({ queryKey: keys.jobs });
    void client.invalidateQueries({ queryKey: keys.backups });
  };
}
