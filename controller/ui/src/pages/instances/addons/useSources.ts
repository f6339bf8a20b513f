import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { addonsQuery, type Addons } from '@/api/addonQueries';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Accepted } from '@/api/types';
import { versionShown } from '@/pages/settingsForm';
import { isChanged, problemsOf, sourceInput, valuesOf, type SourceProblems, type SourceValues } from './sources';
import type { Way } from './UpdateChoice';

interface Draft {
  sources: SourceValues[];
  /** What was in force when it was begun. */
  base: Addons;
}

/** What was sent, to be taken up again if it does not go well. It holds credentials: in this page's memory alone. */
interface Sent {
  job: string;
  sources: SourceValues[];
}

/** The sources in force, those that are wished instead, and the one request that brings these about. */
export function useSources(addons: Addons, onAsked: (job: string) => void) {
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft | null>(null);
  const [problems, setProblems] = useState<SourceProblems>({});
  const [sent, setSent] = useState<Sent | null>(null);
  const sources = draft?.sources ?? valuesOf(addons.sources);
  const edit = (next: SourceValues[]) => {
    setProblems({});
    apply.reset();
    setDraft(isChanged(next, addons.sources) ? { sources: next, base: draft?.base ?? addons } : null);
  };
  const apply = useMutation({
    mutationFn: (way: Way) =>
      unwrap(
        api.PUT('/api/instances/{id}/addons', {
          params: { path: { id: addons.instance_id } },
          headers: { 'If-Match': `"${draft ? versionShown(draft.base, addons, ({ sources: of }) => of) : addons.version}"` },
          body: { ...way, sources: sources.map(sourceInput) },
        }),
      ) as Promise<Accepted>,
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      setProblems(problemsOf(problem, sources));
      // What was typed stays; it is sent with the newer state when that is asked again.
      if (problem.status === 412) {
        void client
          .fetchQuery({ ...addonsQuery(addons.instance_id), staleTime: 0 })
          .then((base) => setDraft((now) => now && { ...now, base }));
      }
    },
    onSuccess: ({ job_id }) => {
      if (draft) setSent({ job: job_id, sources });
      setDraft(null);
      setProblems({});
      onAsked(job_id);
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.instance(addons.instance_id) });
      void client.invalidateQueries({ queryKey: keys.jobs });
    },
  });
  return { sources, edit, changed: draft !== null, problems, sent, apply, discard: () => edit(valuesOf(addons.sources)) };
}
