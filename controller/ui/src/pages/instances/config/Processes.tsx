import { Group, Input, NumberInput, SegmentedControl, Stack, Text } from '@mantine/core';
import type { Sizing } from '@/api/types';
import { Panel } from '@/components/Panel';
import classes from './config.module.css';
import type { ConfigForm } from './ConfigForm';
import { LABELS, whole } from './settings';

/** How many processes, and what follows from it. */
export function Processes({ form, sizing }: { form: ConfigForm; sizing: Sizing }) {
  const { workers } = form.values;
  return (
    <Panel title="Processes">
      <Stack gap="sm">
        <div className={classes.processes}>
          <Input.Wrapper label={LABELS.workers} description="0 is one process with threads." error={form.errors.workers}>
            <Group gap="xs" mt={4} wrap="nowrap" align="center">
              <SegmentedControl
                style={{ flex: 'none' }}
                aria-label={LABELS.workers}
                data={[
                  { value: 'auto', label: 'Sized' },
                  { value: 'number', label: 'Number' },
                ]}
                value={workers === null ? 'auto' : 'number'}
                onChange={(mode) => form.setFieldValue('workers', mode === 'auto' ? null : sizing.workers)}
                data-testid="workers-mode"
              />
              {workers !== null && (
                <NumberInput
                  aria-label="Number of workers"
                  w={76}
                  min={0}
                  allowDecimal={false}
                  allowNegative={false}
                  clampBehavior="none"
                  error={Boolean(form.errors.workers)}
                  value={workers}
                  onChange={(value) => form.setFieldValue('workers', value)}
                  data-testid="workers"
                />
              )}
            </Group>
          </Input.Wrapper>
          <NumberInput
            label={LABELS.users}
            description="Who work, for the sizing."
            placeholder="not known"
            {...whole}
            {...form.getInputProps('users')}
            data-testid="users"
          />
          <NumberInput
            label={LABELS.max_cron_threads}
            description="At a time, at most."
            placeholder={String(sizing.max_cron_threads)}
            {...whole}
            {...form.getInputProps('max_cron_threads')}
          />
        </div>
        <div className={classes.sizing} role="status" data-testid="sizing">
          <Text size="sm" fw={500}>
            {sizing.reason}
          </Text>
          <Text size="xs" c="dimmed" className="numbers" mt={2}>
            Cores would allow {sizing.by_cpu}, memory {sizing.by_memory}
            {sizing.by_users == null ? '' : `, people need ${sizing.by_users}`} · {sizing.max_cron_threads} for scheduled actions
          </Text>
        </div>
      </Stack>
    </Panel>
  );
}
