import { Checkbox, List, Stack, Text } from '@mantine/core';
import { IconClock, IconHandStop } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { Instance } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { ConfirmByName } from '@/components/ConfirmByName';
import { Losses } from '@/components/Losses';
import { Notice } from '@/components/Notice';
import { dependentsOf, inputOf, lossesOf, neededBy, titleOf, type Change, type Modules } from './modules';
import classes from './modules.module.css';

export interface ChangeDialogProps {
  instance: Instance;
  modules: Modules;
  /** What is to be done; none: nothing is asked. */
  change: Change | null;
  onClose: () => void;
  onAsked: (job: string) => void;
}

/** Says what a change of modules means before it is asked for. */
export function ChangeDialog({ instance, modules, change, onClose, onAsked }: ChangeDialogProps) {
  const client = useQueryClient();
  const [copy, setCopy] = useState(true);
  const [along, setAlong] = useState(false);
  // While it closes it still says what it has said.
  const last = useRef<Change>({ kind: 'update_changed' });
  if (change) last.current = change;
  const shown = last.current;
  useEffect(() => {
    if (!change) return;
    setCopy(true);
    setAlong(false);
  }, [change]);
  const run = useMutation({
    mutationFn: (wanted: Change) =>
      unwrap(
        api.POST('/api/instances/{id}/modules', {
          params: { path: { id: instance.id } },
          body: inputOf(wanted, copy, along),
        }),
      ),
    meta: { showsError: true },
    onSuccess: ({ job_id }) => {
      onClose();
      onAsked(job_id);
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.instance(instance.id) });
      void client.invalidateQueries({ queryKey: keys.jobs });
    },
  });
  const question = {
    opened: change !== null,
    onClose,
    title: titleOf(shown),
    size: 'lg' as const,
    run,
    onConfirm: () => change && run.mutate(change),
  };
  const course = <Course copy={copy} onCopy={setCopy} />;
  if (shown.kind === 'uninstall') {
    const dependents = dependentsOf(shown.names, modules);
    const losses = lossesOf(shown.names, dependents);
    const together = dependents.length > 0 && (
      <Checkbox
        label={`Uninstall ${dependents.length === 1 ? dependents[0] : `the ${dependents.length} modules that need ${shown.names.length === 1 ? 'it' : 'them'}`}, too`}
        description={`Nothing goes without this: ${dependents.length === 1 ? 'it does' : 'they do'} not work alone.`}
        checked={along}
        onChange={(event) => setAlong(event.currentTarget.checked)}
        data-testid="with-dependents"
      />
    );
    const impossible = dependents.length > 0 && !along;
    if (instance.environment_type === 'production') {
      return (
        <ConfirmByName {...question} name={instance.name} losses={losses} action="Uninstall with its data" impossible={impossible}>
          {course}
          {together}
        </ConfirmByName>
      );
    }
    return (
      <Confirm {...question} action="Uninstall with its data" keep="Keep it" impossible={impossible}>
        <Stack gap="md">
          <Losses losses={losses} />
          {together}
          {course}
        </Stack>
      </Confirm>
    );
  }
  const names = shown.kind === 'update_changed' ? [...modules.values()].filter((one) => one.needs_update).map(({ name }) => name) : shown.names;
  const needed = neededBy(names, modules);
  const verb = shown.kind === 'install' ? 'Install' : 'Update';
  return (
    <Confirm {...question} action={verb} harmless impossible={needed.obstacles.length > 0}>
      <Stack gap="md">
        {needed.obstacles.length > 0 && (
          <Notice tone="warn" icon={<IconHandStop size={18} />} title="This cannot be done yet" role="alert" testId="obstacles">
            <List size="sm" spacing={2}>
              {needed.obstacles.map((text) => (
                <List.Item key={text}>{text}</List.Item>
              ))}
            </List>
          </Notice>
        )}
        {(shown.kind === 'update_changed' || names.length > 1) && <Names label={shown.kind === 'install' ? 'To be installed' : 'To be updated'} names={names} />}
        {needed.along.length > 0 && <Names label="Needed, and installed along with it" names={needed.along} />}
        {needed.obstacles.length === 0 && (
          <>
            <Text size="sm" c="dimmed">
              {shown.kind === 'install'
                ? 'Modules that install themselves once all that they need is there may come along.'
                : `What builds on ${names.length === 1 ? 'it' : 'them'} is updated, too.`}
            </Text>
            {course}
          </>
        )}
      </Stack>
    </Confirm>
  );
}

function Names({ label, names }: { label: string; names: string[] }): ReactNode {
  return (
    <div>
      <Text size="sm" fw={600} mb={6}>
        {label}
      </Text>
      <ul className={classes.names} aria-label={label} tabIndex={0}>
        {names.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
    </div>
  );
}

/** What happens then, whatever the change is. */
function Course({ copy, onCopy }: { copy: boolean; onCopy: (copy: boolean) => void }) {
  return (
    <>
      <Notice tone={copy ? 'idle' : 'warn'} icon={<IconClock size={18} />} title="What happens" testId="course">
        <List type="ordered" size="sm" spacing={2}>
          <List.Item>Files and dependencies are looked at. If something is wrong, it ends there and nobody notices.</List.Item>
          <List.Item>Odoo stops. It is away until all is done: minutes as a rule, more with a large database.</List.Item>
          <List.Item>
            {copy
              ? 'The database is copied. If the change fails, or Odoo does not answer after it, the copy is put back.'
              : 'No copy is made. If the change fails, the database stays as it is then.'}
          </List.Item>
        </List>
      </Notice>
      <Checkbox
        label="Keep a copy of the database until Odoo answers again"
        description="Takes as much disk as the database has, for that long. It is no backup."
        checked={copy}
        onChange={(event) => onCopy(event.currentTarget.checked)}
        data-testid="safety-copy"
      />
    </>
  );
}
