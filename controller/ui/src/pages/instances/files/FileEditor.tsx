import { Button, Drawer, Group, Stack, Text, Textarea } from '@mantine/core';
import { getHotkeyHandler } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconLock } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { fileContentQuery, filesKey } from '@/api/fileQueries';
import type { FileContent } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Loaded, LoadingRows } from '@/components/States';
import { formatBytes } from '@/lib/format';
import classes from './files.module.css';

/** A text, to read and to change; nobody else's change is written over without a word. */
export function FileEditor({ instanceId, path, onClose }: { instanceId: string; path: string; onClose: () => void }) {
  // As it was opened: whatever is read anew meanwhile, nothing is taken from under one's hands.
  const [opened, setOpened] = useState<FileContent | null>(null);
  const query = useQuery({ ...fileContentQuery(instanceId, path), enabled: opened === null });
  if (opened === null && query.isSuccess && !query.isFetching) setOpened(query.data);
  const reload = async () => {
    const { data } = await query.refetch();
    if (!data) return;
    setOpened(data);
    setChanged(false);
  };
  const [changed, setChanged] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const close = () => (changed ? setLeaving(true) : onClose());
  return (
    <Drawer opened onClose={close} title={path} position="right" size="xl" closeOnEscape={!leaving}>
      <Loaded query={query} rows={12}>
        {() =>
          opened ? (
            <Editor
              key={opened.etag}
              instanceId={instanceId}
              content={opened}
              onChanged={setChanged}
              onReload={() => void reload()}
              onCancel={close}
              onSaved={onClose}
            />
          ) : (
            <LoadingRows rows={12} />
          )
        }
      </Loaded>
      <Confirm
        opened={leaving}
        title="Leave it unsaved?"
        action="Leave it"
        keep="Go on"
        run={{ isPending: false, error: null, reset: () => undefined }}
        onClose={() => setLeaving(false)}
        onConfirm={onClose}
      >
        What you have changed in {path} is lost.
      </Confirm>
    </Drawer>
  );
}

interface EditorProps {
  instanceId: string;
  content: FileContent;
  onChanged: (changed: boolean) => void;
  onReload: () => void;
  onCancel: () => void;
  onSaved: () => void;
}

function Editor({ instanceId, content, onChanged, onReload, onCancel, onSaved }: EditorProps) {
  const { path, etag, writable } = content;
  const client = useQueryClient();
  const [text, setText] = useState(content.content);
  const isChanged = text !== content.content;
  const save = useMutation({
    mutationFn: ({ force }: { force: boolean }) =>
      unwrap(
        api.PUT('/api/instances/{id}/files/content', {
          params: { path: { id: instanceId }, query: { path } },
          headers: force ? {} : { 'If-Match': `"${etag}"` },
          body: { content: text },
        }),
      ),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: `${path} is saved` });
      onSaved();
    },
    onSettled: () => void client.invalidateQueries({ queryKey: [...filesKey(instanceId), 'list'] }),
  });
  const isOutdated = save.isError && asApiError(save.error).status === 412;
  const submit = () => isChanged && !save.isPending && save.mutate({ force: false });
  return (
    <Stack gap="sm">
      {!writable && (
        <Notice tone="idle" icon={<IconLock size={18} />} title="To read only">
          {path.startsWith('config/') ? 'It is written from the configuration; change that instead.' : 'It is not changed here.'}
        </Notice>
      )}
      {isOutdated && (
        <Notice tone="warn" icon={<IconAlertTriangle size={18} />} title="Somebody else has changed it meanwhile" role="alert" testId="file-outdated">
          <Group gap="xs" mt="xs">
            <Button size="xs" variant="default" onClick={onReload} data-testid="file-reload">
              Show theirs and lose mine
            </Button>
            <Button size="xs" variant="default" color="red" loading={save.isPending} onClick={() => save.mutate({ force: true })}>
              Write mine over it
            </Button>
          </Group>
        </Notice>
      )}
      <Textarea
        className={classes.editor}
        aria-label={path}
        value={text}
        readOnly={!writable}
        onChange={(event) => {
          setText(event.currentTarget.value);
          onChanged(event.currentTarget.value !== content.content);
        }}
        onKeyDown={getHotkeyHandler([['mod+S', submit]])}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        wrap="off"
        data-autofocus
        data-testid="file-text"
      />
      {!isOutdated && <FormError error={save.error} />}
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          {formatBytes(content.size)} · {content.mode}
          {isChanged && ' · not saved yet'}
        </Text>
        <Group gap="xs">
          <Button variant="default" onClick={onCancel}>
            {writable ? 'Cancel' : 'Close'}
          </Button>
          {writable && (
            <Button onClick={submit} loading={save.isPending} disabled={!isChanged} data-testid="file-save" title="Ctrl+S">
              Save
            </Button>
          )}
        </Group>
      </Group>
    </Stack>
  );
}
