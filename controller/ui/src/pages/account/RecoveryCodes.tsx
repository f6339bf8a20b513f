import { Button, Checkbox, Group, Stack, Text } from '@mantine/core';
import { IconCheck, IconCopy, IconDownload, IconEye } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { Notice } from '@/components/Notice';
import { copyText } from '@/lib/clipboard';
import { recoveryText } from '@/lib/codes';
import classes from './account.module.css';

export interface RecoveryCodesProps {
  codes: string[];
  email: string;
  /** The second factor was switched on by this. */
  on?: boolean;
  onDone: () => void;
}

/** Shown this once; its dialog ends only by saying that they are kept. */
export function RecoveryCodes({ codes, email, on, onDone }: RecoveryCodesProps) {
  const [kept, setKept] = useState(false);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', hold);
    return () => window.removeEventListener('beforeunload', hold);
  }, []);
  return (
    <Stack>
      {on && <Text size="sm">The second factor is on: from now on a code is asked for after your password.</Text>}
      <Notice tone="warn" icon={<IconEye size={18} />}>
        These codes are shown this once. Each signs in once when your phone is not at hand. Keep them where your phone is not:
        printed, or in a password manager.
      </Notice>
      <ol className={classes.codes} aria-label="Recovery codes" data-testid="recovery-codes">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ol>
      <Group gap="xs">
        <Button
          variant="default"
          size="xs"
          leftSection={copied ? <IconCheck size={15} aria-hidden /> : <IconCopy size={15} aria-hidden />}
          onClick={() => void copyText(codes.join('\n')).then(setCopied)}
          data-testid="copy-codes"
        >
          {copied ? 'Copied' : 'Copy all'}
        </Button>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconDownload size={15} aria-hidden />}
          onClick={() => download(recoveryText(codes, email, window.location.host, new Date().toISOString().slice(0, 10)))}
          data-testid="download-codes"
        >
          Download
        </Button>
      </Group>
      <Group justify="space-between" mt="xs">
        <Checkbox
          label="I have kept them"
          checked={kept}
          onChange={(event) => setKept(event.currentTarget.checked)}
          data-testid="codes-kept"
        />
        <Button disabled={!kept} onClick={onDone} data-testid="codes-done">
          Done
        </Button>
      </Group>
    </Stack>
  );
}

function download(text: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.download = 'ocore-recovery-codes.txt';
  link.click();
  // The browser has opened it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
