import { Button, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { IconEye } from '@tabler/icons-react';
import { useState } from 'react';
import type { WebhookEndpointCreated } from '@/api/types';
import { CodeBox } from '@/components/Code';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { TimeAgo } from '@/components/Time';
import { LANGUAGES, SNIPPETS, type Language } from './webhooks';

/** The secret, this once, with a function that checks what is signed by it. */
export function SecretShown({ made, onClose }: { made: WebhookEndpointCreated; onClose: () => void }) {
  return (
    <Stack>
      <Notice tone="warn" icon={<IconEye size={18} />}>
        It is shown this once. Give it to the receiver, which checks by it that a request is from here.
      </Notice>
      <CommandBox command={made.secret} label="signing secret" testId="webhook-secret" />
      {made.previous_secret_until && (
        <Text size="sm" c="dimmed" data-testid="both-valid">
          The secret before it counts as well: both sign everything for 24 hours, so nothing is refused while you change it.
          It ends <TimeAgo at={made.previous_secret_until} />.
        </Text>
      )}
      <Verification />
      <Group justify="flex-end">
        <Button onClick={onClose} data-testid="secret-copied">
          I have copied it
        </Button>
      </Group>
    </Stack>
  );
}

export function Verification() {
  const [language, setLanguage] = useState<Language>('Node.js');
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Text size="sm">Check the signature:</Text>
        <SegmentedControl
          size="xs"
          aria-label="Language"
          data={[...LANGUAGES]}
          value={language}
          onChange={(next) => setLanguage(next as Language)}
        />
      </Group>
      <CodeBox text={SNIPPETS[language]} label={`verification in ${language}`} height={260} />
      <Text size="xs" c="dimmed">
        Any library for Standard Webhooks does the same. <code>webhook-id</code> is the same in every attempt: remember it
        to do nothing twice.
      </Text>
    </Stack>
  );
}
