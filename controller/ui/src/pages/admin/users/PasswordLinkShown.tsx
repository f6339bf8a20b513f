import { Button, Group, Stack } from '@mantine/core';
import { IconMailCheck, IconMailOff } from '@tabler/icons-react';
import type { PasswordLink } from '@/api/types';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { TimeAgo } from '@/components/Time';

/** Where the link for a new password went: by mail, or here, this once. */
export function PasswordLinkShown({ link, email, onClose }: { link: PasswordLink; email: string; onClose: () => void }) {
  return (
    <Stack>
      {link.link ? (
        <>
          <Notice tone="warn" icon={<IconMailOff size={18} />} title="No mail was sent">
            This controller has no mail server. Send this link to <b>{email}</b> yourself: whoever opens it chooses the password.
            It is shown this once, works once and ends <TimeAgo at={link.expires_at} />.
          </Notice>
          <CommandBox command={link.link} label="link for a password" testId="password-link" />
        </>
      ) : (
        <Notice tone="good" icon={<IconMailCheck size={18} />} title="A mail is on its way">
          <b>{email}</b> gets a link by which they choose a password. It works once and ends <TimeAgo at={link.expires_at} />.
        </Notice>
      )}
      <Group justify="flex-end">
        <Button onClick={onClose}>{link.link ? 'I have copied it' : 'Done'}</Button>
      </Group>
    </Stack>
  );
}
