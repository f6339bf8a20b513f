import { ActionIcon, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { Panel } from '@/components/Panel';
import type { ConfigForm } from './ConfigForm';

/** Keys of odoo.conf that have no setting of their own. */
export function OtherKeys({ form }: { form: ConfigForm }) {
  const rows = form.values.extra_conf;
  return (
    <Panel title="Other keys">
      <Stack gap="xs">
        <Text size="sm" c="dimmed">
          As they stand in odoo.conf. Those that oCore sets, or that have a field above, are refused.
        </Text>
        {rows.map((row, index) => (
          <Group key={index} gap="xs" align="flex-start" wrap="nowrap" data-testid="other-key">
            <TextInput
              aria-label={`Key ${index + 1}`}
              placeholder="csv_internal_sep"
              spellCheck={false}
              autoComplete="off"
              flex={1}
              {...form.getInputProps(`extra_conf.${index}.key`)}
            />
            <TextInput
              aria-label={`Value of ${row.key || `key ${index + 1}`}`}
              placeholder="value"
              spellCheck={false}
              autoComplete="off"
              flex={1}
              {...form.getInputProps(`extra_conf.${index}.value`)}
            />
            <ActionIcon
              color="gray"
              size={36}
              aria-label={`Remove ${row.key || `key ${index + 1}`}`}
              onClick={() => form.removeListItem('extra_conf', index)}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        {form.errors.extra_conf && (
          <Text size="xs" c="red" role="alert">
            {form.errors.extra_conf}
          </Text>
        )}
        <Group>
          <Button
            variant="default"
            size="xs"
            leftSection={<IconPlus size={14} />}
            onClick={() => form.insertListItem('extra_conf', { key: '', value: '' })}
            data-testid="add-key"
          >
            Add a key
          </Button>
        </Group>
      </Stack>
    </Panel>
  );
}
