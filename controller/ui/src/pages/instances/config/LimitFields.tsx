import { NumberInput, SimpleGrid } from '@mantine/core';
import type { Limits } from '@/api/types';
import { Panel } from '@/components/Panel';
import type { ConfigForm } from './ConfigForm';
import { LABELS, whole } from './settings';

/** Odoo's address space is larger than what it uses: it gets that much at least. */
const LEAST_SOFT_MB = 2048;

/** What stands in odoo.conf for what is left empty. */
function usual(form: ConfigForm, { memory_mb }: Limits) {
  const soft = Math.max(memory_mb, LEAST_SOFT_MB);
  const hard = Math.floor((Number(form.values.limit_memory_soft_mb) || soft) / 4) * 5;
  return { soft: `${soft} MiB`, hard: `${hard} MiB` };
}

export function LimitFields({ form, limits }: { form: ConfigForm; limits: Limits }) {
  const { soft, hard } = usual(form, limits);
  const fields = [
    { field: 'limit_memory_soft_mb', unit: ' MiB', empty: soft, text: 'Of address space; a worker beyond it is replaced.' },
    { field: 'limit_memory_hard_mb', unit: ' MiB', empty: hard, text: 'Of address space; no worker gets more.' },
    { field: 'limit_time_cpu', unit: ' s', empty: '600 s', text: 'Of the processor alone.' },
    { field: 'limit_time_real', unit: ' s', empty: '1200 s', text: 'By the clock.' },
    { field: 'limit_time_real_cron', unit: ' s', empty: 'as of a request', text: 'By the clock; 0 is without limit.' },
    { field: 'limit_request', unit: '', empty: 'Odoo’s own', text: 'After so many it is replaced.' },
    { field: 'db_maxconn', unit: '', empty: '64, Odoo’s own', text: 'Of one process to PostgreSQL.' },
  ] as const;
  return (
    <Panel title="Limits">
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
        {fields.map(({ field, unit, empty, text }) => (
          <NumberInput
            key={field}
            label={LABELS[field]}
            description={text}
            placeholder={empty}
            suffix={unit}
            step={field.includes('memory') ? 256 : 10}
            {...whole}
            {...form.getInputProps(field)}
            data-testid={field}
          />
        ))}
      </SimpleGrid>
    </Panel>
  );
}
