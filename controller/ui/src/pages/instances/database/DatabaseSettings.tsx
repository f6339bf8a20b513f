import { Badge, Button, Checkbox, Group, Modal, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAdjustments, IconArrowBackUp } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { databaseConfigQuery } from '@/api/databaseQueries';
import { keys } from '@/api/queries';
import type { DatabaseAdvice, DatabaseConfig, DatabaseSetting, Instance, SettingSource } from '@/api/types';
import { FormError } from '@/components/FormError';
import { ListTable } from '@/components/ListTable';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { Loaded } from '@/components/States';
import { plural } from '@/lib/format';
import { useStale } from '../useStale';
import { changesOf, rangeText, takesRestart, type Wishes } from './database';

const SOURCES: Record<SettingSource, string> = { set: 'Set here', ocore: 'By oCore', postgresql: 'PostgreSQL’s own' };

/** What PostgreSQL is set to, with advice, and the way to change it. */
export function DatabaseSettings({ instance, editable }: { instance: Instance; editable: boolean }) {
  const config = useQuery(databaseConfigQuery(instance.id));
  return <Loaded query={config}>{(loaded) => <Settings config={loaded} editable={editable} />}</Loaded>;
}

/** A text to send as the API takes it. */
function useSave({ instance_id, version }: DatabaseConfig, onDone: () => void) {
  return useMutation({
    mutationFn: (settings: Wishes) =>
      unwrap(
        api.PUT('/api/instances/{id}/database/config', {
          params: { path: { id: instance_id } },
          headers: { 'If-Match': `"${version}"` },
          body: { settings },
        }),
      ),
    meta: { showsError: true },
    onSuccess: (answer) => {
      notifications.show({ message: 'job_id' in answer ? 'The settings are tried, then applied' : 'Saved' });
      onDone();
      window.scrollTo({ top: 0 });
    },
    onSettled: useStale(instance_id),
  });
}

function Settings({ config, editable }: { config: DatabaseConfig; editable: boolean }) {
  const [q, setQ] = useState('');
  const [wishes, setWishes] = useState<Wishes>({});
  const [tuning, setTuning] = useState(false);
  const save = useSave(config, () => setWishes({}));
  const changes = changesOf(wishes, config.available);
  const count = Object.keys(changes).length;
  const wish = (name: string, value: string | null) => {
    save.reset();
    setWishes((before) => ({ ...before, [name]: value }));
  };
  const words = q.toLowerCase();
  const shown = config.available.filter(({ name, about, source }) =>
    words ? name.includes(words) || about.toLowerCase().includes(words) : source !== 'postgresql' || name in wishes,
  );
  return (
    <Panel
      title="Settings"
      flush
      aside={
        <Group gap="xs">
          {editable && (
            <Button size="xs" variant="default" leftSection={<IconAdjustments size={15} />} onClick={() => setTuning(true)} data-testid="tune">
              Recommend
            </Button>
          )}
          <SearchInput value={q} onSearch={setQ} label="Search settings" />
        </Group>
      }
    >
      {config.problem && (
        <Text size="sm" c="dimmed" px="md" pt="sm">
          {config.problem}
        </Text>
      )}
      <ListTable
        label="Settings of PostgreSQL"
        columns={[{ label: 'Setting' }, { label: 'Value' }, { label: 'Decided', from: 'sm' }, { label: 'Back', hiddenLabel: true }]}
      >
        {shown.map((setting) => (
          <Row
            key={setting.name}
            setting={setting}
            wish={wishes[setting.name]}
            onWish={editable ? (value) => wish(setting.name, value) : undefined}
          />
        ))}
      </ListTable>
      <Text size="xs" c="dimmed" px="md" py="sm">
        {words
          ? `${plural(shown.length, 'setting')} found.`
          : `Shown is what oCore or somebody has decided. Search for the other ${plural(config.available.length - shown.length, 'setting')}.`}
      </Text>
      {count > 0 && (
        <Stack gap="xs" p="md" role="region" aria-label="Changes that are not applied" data-testid="database-unsaved">
          <Text size="sm" fw={600}>
            {plural(count, 'change')} not applied yet: {Object.keys(changes).join(', ')}
          </Text>
          <Text size="sm" c="dimmed">
            A PostgreSQL beside the one that serves is started with them first.{' '}
            {takesRestart(changes, config.available)
              ? 'Then PostgreSQL is restarted: Odoo waits for some seconds.'
              : 'They are taken in without a restart.'}
          </Text>
          <FormError error={save.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={() => setWishes({})}>
              Discard
            </Button>
            <Button loading={save.isPending} disabled={!editable} onClick={() => save.mutate(changes)} data-testid="apply-settings">
              Apply
            </Button>
          </Group>
        </Stack>
      )}
      {tuning && (
        <TuneDialog
          instanceId={config.instance_id}
          onClose={() => setTuning(false)}
          onTake={(taken) => {
            setTuning(false);
            setWishes((before) => ({ ...before, ...Object.fromEntries(taken.map(({ name, value }) => [name, value])) }));
          }}
        />
      )}
    </Panel>
  );
}

interface RowProps {
  setting: DatabaseSetting;
  wish: string | null | undefined;
  onWish?: (value: string | null) => void;
}

function Row({ setting, wish, onWish }: RowProps) {
  const { name, value, source, applies, words } = setting;
  const text = wish === undefined ? (value ?? '') : (wish ?? '');
  const placeholder = wish === null ? (setting.recommended ?? setting.default ?? undefined) : undefined;
  return (
    <Table.Tr data-setting={name}>
      <Table.Td>
        <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
          {name}
        </Text>
        <Text size="xs" c="dimmed">
          {setting.about} {applies === 'restart' && 'Takes a restart.'}
        </Text>
        {setting.reason && (
          <Text size="xs" c="dimmed">
            Recommended: {setting.recommended}. {setting.reason}
          </Text>
        )}
      </Table.Td>
      <Table.Td miw={130}>
        {!onWish ? (
          <code>{value ?? '–'}</code>
        ) : words.length > 0 ? (
          <NativeSelect size="xs" aria-label={name} value={text} data={text ? [...new Set([text, ...words])] : ['', ...words]} onChange={(event) => onWish(event.currentTarget.value)} />
        ) : (
          <TextInput
            size="xs"
            aria-label={name}
            title={rangeText(setting)}
            placeholder={placeholder}
            value={text}
            onChange={(event) => onWish(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
          />
        )}
        {setting.pending_restart && (
          <Badge size="xs" color="orange" mt={4}>
            Waits for a restart
          </Badge>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Text size="xs" c="dimmed">
          {wish === null ? 'Not set any more' : SOURCES[source]}
        </Text>
      </Table.Td>
      <Table.Td ta="right">
        {onWish && source === 'set' && wish !== null && (
          <Button size="compact-xs" variant="subtle" leftSection={<IconArrowBackUp size={13} />} onClick={() => onWish(null)} aria-label={`Give ${name} back`}>
            Unset
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** Values that fit the instance's share of the machine, to choose from. */
function TuneDialog({ instanceId, onClose, onTake }: { instanceId: string; onClose: () => void; onTake: (taken: DatabaseAdvice[]) => void }) {
  const [left, setLeft] = useState<string[]>([]);
  const tuning = useQuery({
    queryKey: [...keys.instance(instanceId), 'database', 'tuning'],
    queryFn: ({ signal }) => unwrap(api.POST('/api/instances/{id}/database/tune', { params: { path: { id: instanceId } }, body: {}, signal })),
    retry: false,
  });
  return (
    <Modal opened onClose={onClose} title="Recommended for this instance" size="lg">
      <Loaded query={tuning}>
        {({ machine, recommendations }) => {
          const other = recommendations.filter(({ differs }) => differs);
          const taken = other.filter(({ name }) => !left.includes(name));
          return (
            <Stack gap="md">
              <Text size="sm" c="dimmed">
                For {machine.memory_mb} MB, {machine.cpus} cores and {machine.connections} connections of Odoo.
                {other.length === 0 && ' All of it is in force already.'}
              </Text>
              {other.map(({ name, value, wanted, reason, applies }) => (
                <Checkbox
                  key={name}
                  checked={!left.includes(name)}
                  onChange={(event) => {
                    const { checked } = event.currentTarget;
                    setLeft((before) => (checked ? before.filter((one) => one !== name) : [...before, name]));
                  }}
                  label={
                    <>
                      <code>{name}</code>: {wanted && `${wanted} → `}
                      <b>{value}</b>
                    </>
                  }
                  description={`${reason}${applies === 'restart' ? ' Takes a restart.' : ''}`}
                />
              ))}
              <Group justify="flex-end" gap="xs">
                <Button variant="default" onClick={onClose}>
                  Close
                </Button>
                <Button disabled={taken.length === 0} onClick={() => onTake(taken)} data-testid="take-advice">
                  Take {plural(taken.length, 'value')}
                </Button>
              </Group>
            </Stack>
          );
        }}
      </Loaded>
    </Modal>
  );
}
