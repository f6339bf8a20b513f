import { Select, type SelectProps } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { includes } from '@/access/permissions';
import { useHeld } from '@/access/useHeld';
import { allEnvironmentsQuery, allProjectsQuery } from '@/api/identityQueries';
import type { Environment, Project } from '@/api/types';

/** The one that the controller takes where none is named: the oldest production. */
function usualOf(environments: Environment[]): Environment | undefined {
  return environments
    .filter(({ type }) => type === 'production')
    .sort((a, b) => a.created_at.localeCompare(b.created_at))[0];
}

export interface EnvironmentSelectProps extends Omit<SelectProps, 'data' | 'value'> {
  value: string | null;
  /** The project of what is chosen, by its name or by itself. */
  onProject: (project: Project) => void;
}

/** Where an instance belongs: an environment of a project that is not archived. */
export function EnvironmentSelect({ onProject, ...props }: EnvironmentSelectProps) {
  const held = useHeld();
  const projects = useQuery(allProjectsQuery);
  const environments = useQuery(allEnvironmentsQuery);
  const known = new Map((projects.data ?? []).map((project) => [project.id, project]));
  const open = (environments.data ?? []).filter(({ project_id, status }) => known.has(project_id) && status === 'active');
  const usual = usualOf(open)?.id ?? null;
  const { value, onChange } = props;
  const untouched = useRef(true);
  useEffect(() => {
    if (value) untouched.current = false;
    else if (usual && untouched.current) onChange?.(usual, { value: usual, label: '' });
  }, [usual, value, onChange]);
  const project = known.get(open.find(({ id }) => id === value)?.project_id ?? '');
  useEffect(() => {
    if (project) onProject(project);
    // Only another project is a reason.
  }, [project?.id]);
  return (
    <Select
      label="Environment"
      description="Production is what customers use. In a development environment data goes with the instance."
      placeholder={environments.isPending ? 'Loading …' : 'Choose an environment'}
      {...props}
      searchable
      limit={60}
      nothingFoundMessage="No environment matches"
      data={open
        .map(({ id, name, project_name }) => ({
          value: id,
          label: `${project_name} / ${name}`,
          disabled: !includes(held.at({ type: 'environment', id }), 'manage:instances'),
        }))
        .sort((a, b) => a.label.localeCompare(b.label))}
    />
  );
}
