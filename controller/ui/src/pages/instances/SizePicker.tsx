import { Group, NumberInput, Radio, SimpleGrid, Stack, Text } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import type { Limits } from '@/api/types';
import classes from '@/components/components.module.css';
import { LEAST_MEMORY_MB, SIZES, sizeOf, type SizeName } from './size';

export interface SizePickerProps {
  value: Limits;
  onChange: (limits: Limits) => void;
  error?: ReactNode;
}

const CHOICES = [...SIZES, { name: 'custom' as const, label: 'Custom', text: 'As you like' }];

export function SizePicker({ value, onChange, error }: SizePickerProps) {
  const [name, setName] = useState<SizeName>(() => sizeOf(value));
  return (
    <Radio.Group
      label="Size"
      description="What Odoo may use at most; its database gets the same memory."
      error={error}
      value={name}
      onChange={(next) => {
        setName(next as SizeName);
        const size = SIZES.find((s) => s.name === next);
        if (size) onChange(size.limits);
      }}
      data-testid="instance-size"
    >
      <Stack gap="xs" mt={6} mb={4}>
        <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="xs" verticalSpacing="xs">
          {CHOICES.map((choice) => (
            <Radio.Card key={choice.name} value={choice.name} className={classes.choice} aria-label={choice.label}>
              <Text size="sm" fw={600}>
                {choice.label}
              </Text>
              <Text size="xs" c="dimmed">
                {choice.text}
              </Text>
            </Radio.Card>
          ))}
        </SimpleGrid>
        {name === 'custom' && (
          <Group grow>
            <NumberInput
              label="CPUs"
              min={0.1}
              max={128}
              step={0.5}
              decimalScale={1}
              value={value.cpus}
              onChange={(cpus) => onChange({ ...value, cpus: Number(cpus) })}
            />
            <NumberInput
              label="Memory in MiB"
              min={LEAST_MEMORY_MB}
              step={256}
              allowDecimal={false}
              value={value.memory_mb}
              onChange={(memory) => onChange({ ...value, memory_mb: Number(memory) })}
            />
          </Group>
        )}
      </Stack>
    </Radio.Group>
  );
}
