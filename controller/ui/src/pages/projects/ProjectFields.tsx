import { NativeSelect, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { nameProblem } from '@/lib/slug';
import { ODOO_VERSIONS } from '@/pages/instances/newInstance';
import { descriptionProblem, type ProjectValues } from './projects';

export const PROJECT_RULES = { name: nameProblem, description: descriptionProblem };

/** The API's names for the form's fields. */
export const PROJECT_FIELDS = { name: 'name', description: 'description', odoo_version: 'version' };

/** What a project says of itself, new or not. */
export function ProjectFields<V extends ProjectValues>({ form }: { form: UseFormReturnType<V> }) {
  return (
    <>
      <TextInput label="Name" placeholder="Acme" autoComplete="off" data-autofocus {...form.getInputProps('name')} />
      <Textarea label="Description" autosize minRows={2} maxRows={6} {...form.getInputProps('description')} />
      <NativeSelect
        label="Odoo version"
        description="What its new instances run, unless they say otherwise. Those that are there stay as they are."
        data={[{ value: '', label: 'Chosen for each instance' }, ...ODOO_VERSIONS]}
        {...form.getInputProps('version')}
      />
    </>
  );
}
