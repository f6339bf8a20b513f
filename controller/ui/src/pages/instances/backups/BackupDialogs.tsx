// A backup that is asked for, one that is put back, and what is said of one.
import { Checkbox, Modal, PasswordInput, Select, Stack, Text, Textarea } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { destinationsQuery } from '@/api/destinationQueries';
import { asApiError, fieldMessages } from '@/api/errors';
import type { Backup, Instance } from '@/api/types';
import { ConfirmByName } from '@/components/ConfirmByName';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { formatBytes, formatDateTime } from '@/lib/format';
import { placeText } from '@/pages/destinations/destinations';
import { useStale } from '../useStale';
import { restoreLosses } from './backups';

const NOTE = 500;
const noteProblem = (note: string) => ([...note].length > NOTE ? `At most ${NOTE} characters` : null);

export function NewBackupDialog({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const onSettled = useStale(instance.id);
  const destinations = useQuery(destinationsQuery);
  const usual = destinations.data?.find(({ is_default }) => is_default);
  const form = useForm({
    initialValues: { destination: '', note: '', pinned: false },
    validate: { note: noteProblem },
    onValuesChange: () => run.isError && run.reset(),
  });
  const run = useMutation({
    mutationFn: ({ destination, note, pinned }: typeof form.values) =>
      unwrap(
        api.POST('/api/instances/{id}/backups', {
          params: { path: { id: instance.id } },
          body: { destination_id: destination || null, note: note.trim(), is_pinned: pinned },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { note: 'note', destination_id: 'destination' })),
    onSuccess: onClose,
    onSettled,
  });
  const chosen = destinations.data?.find(({ id }) => id === (form.values.destination || usual?.id));
  return (
    <Modal opened onClose={onClose} title={`Back up ${instance.name}`}>
      <form onSubmit={form.onSubmit((values) => run.mutate(values))} aria-label="New backup" noValidate>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            The database as of one moment, with the attachments in it. Odoo goes on serving.
          </Text>
          <Select
            label="Destination"
            placeholder={usual?.name}
            data={(destinations.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
            clearable
            description={chosen && `${placeText(chosen.config)}${chosen.is_off_site ? '' : '; it is lost with the server'}`}
            {...form.getInputProps('destination')}
            value={form.values.destination || null}
            onChange={(value) => form.setFieldValue('destination', value ?? '')}
          />
          <Textarea label="Note" placeholder="What is it for?" autosize minRows={2} data-autofocus data-testid="backup-note" {...form.getInputProps('note')} />
          <Checkbox label="Pin it: no schedule deletes it" {...form.getInputProps('pinned', { type: 'checkbox' })} />
          <FormError error={run.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={run.isPending} data-testid="make-backup">
            Back up now
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}

export function NoteDialog({ backup, onClose }: { backup: Backup; onClose: () => void }) {
  const onSettled = useStale(backup.instance_id ?? '');
  const form = useForm({
    initialValues: { note: backup.note, pinned: backup.is_pinned },
    validate: { note: noteProblem },
    onValuesChange: () => run.isError && run.reset(),
  });
  const run = useMutation({
    mutationFn: ({ note, pinned }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/backups/{id}', {
          params: { path: { id: backup.id } },
          headers: { 'If-Match': `"${backup.version}"` },
          body: { note: note.trim(), is_pinned: pinned },
        }),
      ),
    meta: { showsError: true },
    onSuccess: onClose,
    onSettled,
  });
  return (
    <Modal opened onClose={onClose} title="Note and pin">
      <form onSubmit={form.onSubmit((values) => run.mutate(values))} aria-label="Note and pin" noValidate>
        <Stack gap="sm">
          <Textarea label="Note" autosize minRows={2} data-autofocus {...form.getInputProps('note')} />
          <Checkbox label="Pin it: neither a schedule nor a stray click deletes it" {...form.getInputProps('pinned', { type: 'checkbox' })} />
          <FormError error={run.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={run.isPending} data-testid="save-note">
            Save
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}

/** In place of what the instance holds: what is lost from sight is said, and its name typed. */
export function RestoreDialog({ backup, onClose }: { backup: Backup | null; onClose: () => void }) {
  const onSettled = useStale(backup?.instance_id ?? '');
  const [identity, setIdentity] = useState('');
  const close = () => {
    setIdentity('');
    onClose();
  };
  const run = useMutation({
    mutationFn: (one: Backup) =>
      unwrap(
        api.POST('/api/backups/{id}/restore', {
          params: { path: { id: one.id } },
          body: { identity: identity.trim() || null },
        }),
      ),
    meta: { showsError: true },
    onSuccess: (_, { instance_name }) => {
      notifications.show({ message: `${instance_name} is being restored` });
      close();
      window.scrollTo({ top: 0 });
    },
    onSettled,
  });
  return (
    <ConfirmByName
      opened={backup !== null}
      title={`Restore ${backup?.instance_name ?? ''}`}
      name={backup?.instance_name ?? ''}
      losses={backup ? restoreLosses(backup) : []}
      action="Restore it"
      run={run}
      onClose={close}
      onConfirm={() => backup && run.mutate(backup)}
    >
      {backup && (
        <Stack gap="sm">
          <Text size="sm">
            The instance will be as it was on {formatDateTime(backup.snapshot_at)}: {formatBytes(backup.database_bytes)} of
            database, {formatBytes(backup.attachments?.bytes)} of attachments.
          </Text>
          <Text size="sm" c="dimmed">
            The backup is put beside what is there and checked while Odoo serves; then they change places, and Odoo stands for
            that moment. The present database stays under another name, to be seen and dropped among the databases.
          </Text>
          {backup.encryption === 'recipients' && (
            <PasswordInput
              label="Your key"
              description="A line that begins with AGE-SECRET-KEY-1. It is forgotten after the restore."
              autoComplete="off"
              value={identity}
              onChange={(event) => setIdentity(event.currentTarget.value)}
              data-testid="backup-identity"
            />
          )}
        </Stack>
      )}
    </ConfirmByName>
  );
}
