import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Project, ProjectUpdate } from '@/api/types';

interface Options {
  /** The one that is shown, for `If-Match`. */
  version?: number;
  onSaved?: (saved: Project) => void;
}

/** Changes a project and keeps the caches at what is so now. */
export function useProjectChange(project: Project, { version = project.version, onSaved }: Options = {}) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ProjectUpdate) =>
      unwrap(
        api.PATCH('/api/projects/{project_id}', {
          params: { path: { project_id: project.id } },
          headers: { 'If-Match': `"${version}"` },
          body,
        }),
      ),
    meta: { showsError: true },
    onSuccess: (saved) => {
      client.setQueryData(keys.project(project.id), saved);
      void client.invalidateQueries({ queryKey: keys.projects });
      void client.invalidateQueries({ queryKey: keys.environments });
      onSaved?.(saved);
    },
    onError: (error) => {
      if (asApiError(error).status === 412) void client.invalidateQueries({ queryKey: keys.project(project.id) });
    },
  });
}
