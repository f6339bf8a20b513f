import { Group, Text, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';

export interface PageHeaderProps {
  title: string;
  /** Beside the title: a status. */
  status?: ReactNode;
  subtitle?: ReactNode;
  actions?: ReactNode;
  /** Above the title: where this page belongs. */
  parent?: ReactNode;
}

export function PageHeader({ title, status, subtitle, actions, parent }: PageHeaderProps) {
  useEffect(() => {
    document.title = `${title} · oCore`;
  }, [title]);
  return (
    <Group justify="space-between" align="flex-end" mb="md" gap="sm">
      <div style={{ minWidth: 0 }}>
        {parent && (
          <Text size="xs" c="dimmed" component="div">
            {parent}
          </Text>
        )}
        <Group gap="md">
          <Title order={1}>{title}</Title>
          {status}
        </Group>
        {subtitle && (
          <Text size="sm" c="dimmed" component="div">
            {subtitle}
          </Text>
        )}
      </div>
      {actions && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
