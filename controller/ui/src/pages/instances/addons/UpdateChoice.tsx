// What an upgrade and a change of addons have in common: which modules are updated, the copy, and what happens then.
import { Checkbox, List, Radio, Stack } from '@mantine/core';
import { IconClock } from '@tabler/icons-react';
import type { UpdateModules } from '@/api/types';
import { Notice } from '@/components/Notice';
import { formatDuration } from '@/lib/format';

export interface Way {
  update: UpdateModules;
  safety_copy: boolean;
}

export const FIRST_WAY: Way = { update: 'changed', safety_copy: true };

const UPDATES: { value: UpdateModules; label: string; description: string }[] = [
  { value: 'changed', label: 'Those that have changed', description: 'By their version or their files. The usual choice.' },
  { value: 'all', label: 'All', description: 'Takes longer: every installed module is loaded anew.' },
  { value: 'none', label: 'None', description: 'New files without an update: fields and views that they need may be missing.' },
];

/** `fetched`: what is fetched, as the first sentence says it. */
export function UpdateChoice({ fetched, way, onChange }: { fetched: string; way: Way; onChange: (way: Way) => void }) {
  return (
    <Stack gap="md">
      <Notice tone={way.safety_copy || way.update === 'none' ? 'idle' : 'warn'} icon={<IconClock size={18} />} title="What happens" testId="course">
        <List type="ordered" size="sm" spacing={2}>
          <List.Item>{fetched} If something is wrong, it ends there and nobody notices.</List.Item>
          {courseOf(way).map((text) => (
            <List.Item key={text}>{text}</List.Item>
          ))}
        </List>
      </Notice>
      <Radio.Group label="Update modules" value={way.update} onChange={(update) => onChange({ ...way, update: update as UpdateModules })}>
        <Stack gap={6} mt={6}>
          {UPDATES.map((one) => (
            <Radio key={one.value} {...one} data-testid={`update-${one.value}`} />
          ))}
        </Stack>
      </Radio.Group>
      <Checkbox
        label="Keep a copy of the database until Odoo answers again"
        description="Takes as much disk as the database has, for that long. It is no backup."
        checked={way.safety_copy}
        onChange={(event) => onChange({ ...way, safety_copy: event.currentTarget.checked })}
        data-testid="safety-copy"
      />
    </Stack>
  );
}

/** What comes after all is fetched, a sentence each. */
export function courseOf({ update, safety_copy }: Way): string[] {
  if (update === 'none') {
    return ['Odoo is started once beside the serving one, then stops and comes back with the new files: some seconds.', 'If it does not answer, all goes back to how it was.'];
  }
  return [
    update === 'all'
      ? 'Odoo stops and all modules are updated: it is away for minutes, more with a large database.'
      : 'If no installed module has changed, Odoo is away for some seconds. Else it stops, and the changed ones are updated: minutes as a rule.',
    safety_copy
      ? 'The database is copied before. If the update fails, or Odoo does not answer after it, all goes back to how it was.'
      : 'No copy is made. If the update fails, files and container go back, but the database stays as it is then.',
  ];
}

/** What came of a change, in a sentence. */
export function upgradedText(result: unknown): string {
  const { updated, down_milliseconds } = (result ?? {}) as Record<string, unknown>;
  const names = Array.isArray(updated) && updated.length > 0 ? `Updated: ${updated.join(', ')}.` : 'No module had to be updated.';
  const away = typeof down_milliseconds === 'number' && down_milliseconds > 0;
  return `${names} ${away ? `Nobody was served for ${formatDuration(down_milliseconds)}.` : 'Odoo served all the time.'}`;
}
