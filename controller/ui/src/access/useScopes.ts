// The names of what a role or a key can be limited to.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { allEnvironmentsQuery, allProjectsQuery, allServersQuery } from '@/api/identityQueries';
import type { ScopeKind, ScopeRef } from '@/api/types';
import { shortId } from '@/lib/format';
import { useSession } from '@/shell/session';
import { SCOPE_TITLES } from './scope';

export interface ScopeChoice {
  value: string;
  label: string;
}

export interface Scopes {
  choices: Record<Exclude<ScopeKind, 'organization'>, ScopeChoice[]>;
  isPending: boolean;
  /** `project Shop`; what is not to be seen goes by its id. */
  nameOf: (scope: ScopeRef) => string;
  /** `in project Shop`, as a part of a sentence. */
  placeOf: (scope: ScopeRef) => string;
  projectOf: (environment: string) => string | undefined;
}

export function useScopes(): Scopes {
  const { can } = useSession();
  const seesProjects = can('view:projects');
  const projects = useQuery({ ...allProjectsQuery, enabled: seesProjects, retry: false });
  const environments = useQuery({ ...allEnvironmentsQuery, enabled: seesProjects, retry: false });
  const servers = useQuery({ ...allServersQuery, enabled: can('view:servers'), retry: false });
  return useMemo(() => {
    const choices = {
      project: (projects.data ?? []).map(({ id, name }) => ({ value: id, label: name })),
      environment: (environments.data ?? []).map(({ id, name, project_name }) => ({ value: id, label: `${project_name} / ${name}` })),
      server: (servers.data ?? []).map(({ id, name }) => ({ value: id, label: name })),
    };
    const names = new Map(Object.values(choices).flatMap((list) => list.map(({ value, label }) => [value, label])));
    const projectsOf = new Map((environments.data ?? []).map(({ id, project_id }) => [id, project_id]));
    return {
      choices,
      isPending: projects.isLoading || environments.isLoading || servers.isLoading,
      nameOf: ({ type, id }) => {
        if (type === 'organization' || !id) return SCOPE_TITLES.organization;
        return `${SCOPE_TITLES[type]} ${names.get(id) ?? shortId(id)}`;
      },
      placeOf: ({ type, id }) => {
        if (type === 'organization' || !id) return 'in the whole organization';
        return `${type === 'server' ? 'on' : 'in'} ${type} ${names.get(id) ?? shortId(id)}`;
      },
      projectOf: (environment) => projectsOf.get(environment),
    };
  }, [projects, environments, servers]);
}
