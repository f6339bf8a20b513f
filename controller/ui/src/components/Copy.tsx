import { ActionIcon, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { copyText } from '@/lib/clipboard';
import classes from './components.module.css';

export function CopyButton({ value, label = 'Copy' }: { value: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Tooltip label={copied ? 'Copied' : label}>
      <ActionIcon
        color={copied ? 'green' : 'gray'}
        aria-label={copied ? 'Copied' : label}
        onClick={() => void copyText(value).then(setCopied)}
      >
        {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}

export interface CommandBoxProps {
  command: string;
  label: string;
  testId?: string;
  /** What is copied, where it is shown with blanks for the eye. */
  copied?: string;
}

/** A command to be run elsewhere. */
export function CommandBox({ command, label, testId, copied }: CommandBoxProps) {
  return (
    <div className={classes.command} role="group" aria-label={label}>
      <code data-testid={testId} style={{ fontFamily: 'inherit' }}>
        {command}
      </code>
      <div className={classes.commandCopy}>
        <CopyButton value={copied ?? command} label={`Copy: ${label}`} />
      </div>
    </div>
  );
}
