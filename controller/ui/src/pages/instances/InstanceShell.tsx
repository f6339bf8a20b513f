import { Group, SegmentedControl, Skeleton, Stack, Text } from '@mantine/core';
import { IconTerminal2 } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import type { Instance } from '@/api/types';
import { EmptyState } from '@/components/States';
import { retrying } from '@/lib/retrying';

const Terminal = lazy(retrying(() => import('@/terminal/Terminal')));

const MODES = [
  { value: 'shell', label: 'Shell', text: 'A shell in the Odoo container.' },
  { value: 'odoo', label: 'Odoo shell', text: 'Python with env; changes are kept after env.cr.commit().' },
] as const;

type Mode = (typeof MODES)[number]['value'];

export function InstanceShell({ instance }: { instance: Instance }) {
  const [mode, setMode] = useState<Mode>('shell');
  if (!instance.container_id || instance.status === 'stopped') {
    return (
      <EmptyState
        icon={<IconTerminal2 size={22} />}
        title="Nothing to connect to"
        text="The shell opens in the instance's container, so the instance has to run."
      />
    );
  }
  return (
    <Stack gap="sm">
      <Group gap="md">
        <SegmentedControl
          size="xs"
          aria-label="Kind of shell"
          value={mode}
          onChange={(value) => setMode(value as Mode)}
          data={MODES.map(({ value, label }) => ({ value, label }))}
        />
        <Text size="sm" c="dimmed">
          {MODES.find((m) => m.value === mode)?.text}
        </Text>
      </Group>
      <Suspense fallback={<Skeleton height={420} />}>
        <Terminal
          key={mode}
          path={`/api/instances/${instance.id}/console`}
          query={{ mode }}
          label={`Shell in ${instance.name}`}
          height="max(300px, calc(100dvh - 310px))"
        />
      </Suspense>
    </Stack>
  );
}
