// What concerns Odoo itself: its clock, its words, its modules.
import { Group, Input, NativeSelect, SegmentedControl, Select, SimpleGrid, Stack, Switch, TagsInput } from '@mantine/core';
import { useMemo } from 'react';
import { logLevelValues } from '@/api/types';
import { Panel } from '@/components/Panel';
import { timeZoneChoices } from '@/lib/places';
import type { ConfigForm } from './ConfigForm';
import { LABELS, LOG_LEVELS } from './settings';

export function OdooFields({ form }: { form: ConfigForm }) {
  const zones = useMemo(() => timeZoneChoices(form.values.timezone), [form.values.timezone]);
  return (
    <Panel title="Odoo">
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
          <Select
            label={LABELS.timezone}
            description="Of the administrator and of whom they add."
            placeholder="Not set"
            data={zones}
            searchable
            clearable
            limit={100}
            nothingFoundMessage="No such time zone"
            {...form.getInputProps('timezone')}
            data-testid="timezone"
          />
          <Input.Wrapper label={LABELS.proxy_mode} description="By itself: only behind the server’s own proxy." error={form.errors.proxy_mode}>
            <Group mt={4}>
              <SegmentedControl
                aria-label={LABELS.proxy_mode}
                data={[
                  { value: 'auto', label: 'By itself' },
                  { value: 'on', label: 'Always' },
                  { value: 'off', label: 'Never' },
                ]}
                {...form.getInputProps('proxy_mode')}
              />
            </Group>
          </Input.Wrapper>
        </SimpleGrid>
        <TagsInput
          label={LABELS.server_wide_modules}
          description="Technical names, besides those that Odoo loads by itself. Enter adds one."
          splitChars={[',', ' ']}
          {...form.getInputProps('server_wide_modules')}
        />
        <Switch
          label={LABELS.unaccent}
          description="A search for Jose finds José, too."
          {...form.getInputProps('unaccent', { type: 'checkbox' })}
        />
      </Stack>
    </Panel>
  );
}

export function LoggingFields({ form }: { form: ConfigForm }) {
  return (
    <Panel title="Logging">
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
        <NativeSelect
          label={LABELS.log_level}
          description="How much Odoo says in its log."
          data={logLevelValues.map((value) => ({ value, label: LOG_LEVELS[value] }))}
          {...form.getInputProps('log_level')}
          data-testid="log_level"
        />
        <TagsInput
          label={LABELS.log_handler}
          description="logger:LEVEL, such as odoo.addons.sale:DEBUG"
          splitChars={[',', ' ']}
          {...form.getInputProps('log_handler')}
          data-testid="log_handler"
        />
      </SimpleGrid>
    </Panel>
  );
}
