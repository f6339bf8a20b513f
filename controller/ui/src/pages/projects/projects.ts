// What projects and environments are called, and what goes when one is deleted.
import { environmentTypeValues, type Environment, type EnvironmentType, type Instance, type Project } from '@/api/types';
import { plural } from '@/lib/format';

export const TYPES: Record<EnvironmentType, { title: string; text: string }> = {
  production: { title: 'Production', text: 'What customers use. One for a project.' },
  staging: { title: 'Staging', text: 'Where a change is looked at before it goes live.' },
  development: { title: 'Development', text: 'For trying out: data goes with the instance.' },
};

export const TYPE_CHOICES = environmentTypeValues.map((value) => ({ value, label: TYPES[value].title }));

export interface ProjectValues {
  name: string;
  description: string;
  /** Empty: each instance says. */
  version: string;
}

export function projectValues(project: Project | null): ProjectValues {
  return {
    name: project?.name ?? '',
    description: project?.description ?? '',
    version: project?.odoo_version ?? '',
  };
}

export function projectBody({ name, description, version }: ProjectValues) {
  return { name: name.trim(), description: description.trim(), odoo_version: version || null };
}

export function descriptionProblem(text: string): string | null {
  return [...text.trim()].length > 500 ? 'At most 500 characters' : null;
}

/** By name, as people look for them; the API gives the newest first. */
export function byName<T extends { name: string }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => a.name.localeCompare(b.name));
}

/** A name for another environment of the type that the project does not have yet. */
export function freeName(type: EnvironmentType, taken: readonly string[]): string {
  const { title } = TYPES[type];
  const used = new Set(taken.map((name) => name.toLowerCase()));
  for (let number = 2, name: string = title; ; number += 1) {
    if (!used.has(name.toLowerCase())) return name;
    name = `${title} ${number}`;
  }
}

const NAMED = 12;

/** What deleting an environment takes, a line each. Without instances it is only the place. */
export function lossesOf(environment: Environment, instances: readonly Instance[] | null): string[] {
  const { type, instances_count } = environment;
  const gone = type === 'development';
  const lost = instances?.map(({ name, database_name, server_name }) =>
    gone
      ? `${name}: its containers, the database ${database_name} and all files on ${server_name}, at once and for good.`
      : `${name}: its containers. The database ${database_name} and the files stay in volumes on ${server_name} until they are purged.`,
  );
  const rest = gone ? ' with all data, at once and for good' : '';
  const named = (lost ?? []).slice(0, NAMED);
  // Who may not see instances still learns how many there are.
  const more = Math.max(instances_count, lost?.length ?? 0) - named.length;
  return [
    ...named,
    ...(more > 0 ? [`${plural(more, named.length > 0 ? 'more instance' : 'instance')}${rest}.`] : []),
    `The environment ${environment.name}. Roles and keys that are limited to it count nowhere any more.`,
  ];
}
