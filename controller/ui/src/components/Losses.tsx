import { List } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { Notice } from './Notice';

/** What will be lost, a line each. */
export function Losses({ losses }: { losses: string[] }) {
  return (
    <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="What will be lost" testId="losses">
      <List size="sm" spacing={2}>
        {losses.map((loss) => (
          <List.Item key={loss}>{loss}</List.Item>
        ))}
      </List>
    </Notice>
  );
}
