import { ActionIcon, Button, Group, Progress, Text } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconX } from '@tabler/icons-react';
import { Panel } from '@/components/Panel';
import { formatBytes, formatDuration, formatRate, share } from '@/lib/format';
import classes from './files.module.css';
import type { FileUpload, useUploads } from './useUploads';

/** What is on its way to the server. */
export function UploadList({ bringing }: { bringing: ReturnType<typeof useUploads> }) {
  const { uploads } = bringing;
  if (uploads.length === 0) return null;
  return (
    <Panel title="Uploads" flush>
      <ul className={classes.uploads} aria-label="Uploads">
        {uploads.map((upload) => (
          <li key={upload.id} className={classes.upload} data-upload={upload.name} data-state={upload.state}>
            <div>
              <Text size="sm">{upload.name}</Text>
              <Text size="xs" c={upload.problem ? 'red' : 'dimmed'} role={upload.problem ? 'alert' : undefined}>
                {upload.problem ?? stateOf(upload)}
              </Text>
            </div>
            <Actions upload={upload} bringing={bringing} />
            {upload.state !== 'done' && upload.state !== 'failed' && (
              <Progress
                className={classes.wide}
                value={share(upload.sent, upload.size)}
                aria-label={`${upload.name}: ${Math.round(share(upload.sent, upload.size))} %`}
                size="sm"
              />
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Actions({ upload, bringing }: { upload: FileUpload; bringing: ReturnType<typeof useUploads> }) {
  const { id, name, state, exists } = upload;
  return (
    <Group gap={4} wrap="nowrap">
      {state === 'failed' && exists && (
        <Button size="compact-xs" variant="default" onClick={() => bringing.overwrite(upload)} data-testid="upload-overwrite">
          Replace it
        </Button>
      )}
      {state === 'failed' && !exists && (
        <Button size="compact-xs" variant="default" onClick={() => bringing.resume(id)}>
          Try again
        </Button>
      )}
      {state === 'sending' && (
        <ActionIcon variant="subtle" color="gray" aria-label={`Pause ${name}`} onClick={() => bringing.pause(id)}>
          <IconPlayerPause size={16} />
        </ActionIcon>
      )}
      {state === 'paused' && (
        <ActionIcon variant="subtle" color="gray" aria-label={`Go on with ${name}`} onClick={() => bringing.resume(id)}>
          <IconPlayerPlay size={16} />
        </ActionIcon>
      )}
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={state === 'done' ? `Hide ${name}` : `Cancel ${name}`}
        onClick={() => bringing.remove(id)}
      >
        <IconX size={16} />
      </ActionIcon>
    </Group>
  );
}

function stateOf({ state, sent, size, speed, directory }: FileUpload): string {
  const far = `${formatBytes(sent)} of ${formatBytes(size)}`;
  switch (state) {
    case 'waiting':
      return `${formatBytes(size)}, waits for the others`;
    case 'sending':
      return speed ? `${far} · ${formatRate(speed)} · ${formatDuration(((size - sent) / speed) * 1000)} left` : far;
    case 'paused':
      return `${far}, paused`;
    case 'done':
      return `${formatBytes(size)} in ${directory}`;
    case 'failed':
      return far;
  }
}
