// The form for a new instance: its first values, its rules, and what it sends.
import { isEmail } from '@mantine/form';
import type { InstanceCreate, Limits } from '@/api/types';
import { passwordProblem } from '@/lib/password';
import { nameProblem, slugOf } from '@/lib/slug';
import { LEAST_MEMORY_MB, SIZES } from './size';

export const ODOO_VERSIONS = ['19.0', '18.0', '17.0', '16.0', '15.0', '14.0'];

export interface NewInstance {
  name: string;
  environment: string | null;
  server: string | null;
  version: string;
  image: string;
  email: string;
  password: string;
  language: string;
  country: string | null;
  demo: boolean;
  modules: string[];
  limits: Limits;
}

export function firstValues(email: string, server: string | null, environment: string | null): NewInstance {
  return {
    name: '',
    environment,
    server,
    // Said by the form each time: what the controller takes for a script that names none is not the newest.
    version: '19.0',
    image: '',
    email,
    password: '',
    language: 'en_US',
    country: null,
    demo: false,
    modules: [],
    limits: SIZES[1]?.limits ?? { cpus: 2, memory_mb: 2048 },
  };
}

const MODULE = /^[a-z0-9_]+$/;

export const rules = {
  name: (name: string) => nameProblem(name) ?? (slugOf(name) ? null : 'At least 3 letters or digits of a to z are needed'),
  server: (server: string | null) => (server ? null : 'Choose the server that it runs on'),
  email: isEmail('This is not an e-mail address'),
  password: passwordProblem,
  modules: (modules: string[]) => {
    const odd = modules.find((name) => !MODULE.test(name));
    return odd === undefined ? null : `“${odd}” is not a technical name, such as sale_management`;
  },
  limits: ({ cpus, memory_mb }: Limits) => {
    if (!(cpus >= 0.1)) return 'At least 0.1 CPU';
    return memory_mb >= LEAST_MEMORY_MB ? null : `At least ${LEAST_MEMORY_MB} MiB of memory`;
  },
};

/** The API's names for the form's fields. */
export const FIELDS = {
  name: 'name',
  slug: 'name',
  environment_id: 'environment',
  server_id: 'server',
  odoo_version: 'version',
  image: 'image',
  admin_login: 'email',
  admin_password: 'password',
  language: 'language',
  country: 'country',
  modules: 'modules',
  limits: 'limits',
};

export function bodyOf(values: NewInstance): InstanceCreate {
  return {
    name: values.name.trim(),
    // The one that the form shows: the controller's own would leave out letters with accents.
    slug: slugOf(values.name),
    environment_id: values.environment ?? undefined,
    server_id: values.server ?? '',
    odoo_version: values.version,
    image: values.image.trim() || undefined,
    admin_login: values.email.trim(),
    admin_password: values.password,
    language: values.language,
    country: values.country ?? undefined,
    demo_data: values.demo,
    modules: values.modules,
    limits: values.limits,
  };
}
