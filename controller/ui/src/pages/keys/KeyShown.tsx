import { Button, Group, Stack, Text } from '@mantine/core';
import { IconEye } from '@tabler/icons-react';
import type { ApiKeyCreated } from '@/api/types';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { TimeAgo } from '@/components/Time';
import { useSession } from '@/shell/session';
import { curlOf } from './keys';

/** The secret, this once, with a line to try it. */
export function KeyShown({ made, onClose }: { made: ApiKeyCreated; onClose: () => void }) {
  const { organization } = useSession();
  return (
    <Stack>
      <Notice tone="warn" icon={<IconEye size={18} />}>
        It is shown this once. The controller keeps only a fingerprint of it.
      </Notice>
      <CommandBox command={made.key} label="API key" testId="api-key" />
      {made.previous_until && (
        <Text size="sm" c="dimmed">
          The secret before it ends <TimeAgo at={made.previous_until} />.
        </Text>
      )}
      <Text size="sm">Try it:</Text>
      <CommandBox command={curlOf(window.location.origin, organization.slug, made.key, made)} label="request with the key" testId="curl" />
      {made.allowed_addresses.length > 0 && (
        <Text size="xs" c="dimmed">
          It works from {made.allowed_addresses.join(', ')} only.
        </Text>
      )}
      <Group justify="flex-end">
        <Button onClick={onClose}>I have copied it</Button>
      </Group>
    </Stack>
  );
}
