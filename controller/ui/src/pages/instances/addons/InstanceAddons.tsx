import { Button, Group, Stack, Text } from '@mantine/core';
import { IconGitBranch, IconInfoCircle, IconPlugConnectedX, IconPlus, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { addonsQuery, type Addons } from '@/api/addonQueries';
import { serverQuery } from '@/api/queries';
import type { Instance } from '@/api/types';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { FactList, Panel } from '@/components/Panel';
import { EmptyState, Loaded } from '@/components/States';
import { plural } from '@/lib/format';
import { JobPanel } from '@/pages/jobs/JobView';
import { useSession } from '@/shell/session';
import { LastChange } from '../LastChange';
import classes from './addons.module.css';
import { ApplyDialog } from './ApplyDialog';
import { SourceDialog } from './SourceDialog';
import { SourceRow } from './SourceRow';
import { inOrder, marksOf, moved, removedOf, shownName, sourceValues, type SourceValues } from './sources';
import { upgradedText } from './UpdateChoice';
import { useSources } from './useSources';

const ENDINGS = {
  good: 'The addons are in place',
  cancelled: 'The change of addons was cancelled',
  failed: 'The addons could not be put in place',
};

/** Where an instance's modules come from besides Odoo itself, and the ways to change that. */
export default function InstanceAddons({ instance }: { instance: Instance }) {
  const addons = useQuery(addonsQuery(instance.id));
  if (instance.container_id == null) {
    return (
      <Stack gap="md">
        {instance.active_job_id && <JobPanel key={instance.active_job_id} jobId={instance.active_job_id} title="In progress" />}
        <EmptyState
          icon={<IconGitBranch size={22} />}
          title="No addons yet"
          text="The instance is not set up. Sources of addons can be given once its Odoo runs."
        />
      </Stack>
    );
  }
  return <Loaded query={addons}>{(loaded) => <Sources instance={instance} addons={loaded} />}</Loaded>;
}

function Sources({ instance, addons }: { instance: Instance; addons: Addons }) {
  const { can } = useSession();
  const [asked, setAsked] = useState<string | null>(null);
  const [asking, setAsking] = useState(false);
  const [open, setOpen] = useState<SourceValues | null>(null);
  const server = useQuery({ ...serverQuery(instance.server_id), enabled: can('view:servers') });
  const { sources, edit, changed, problems, sent, apply, discard } = useSources(addons, (job) => {
    setAsking(false);
    setAsked(job);
    window.scrollTo({ top: 0 });
  });
  const { active_job_id, status } = instance;
  const manages = can('manage:instances') && status !== 'removing';
  const editable = manages && active_job_id == null;
  const ready = editable && status !== 'stopped';
  const removed = removedOf(sources, addons.sources).map(({ name }) => name);
  const marks = marksOf(sources, addons.sources);
  const shown = inOrder(sources);
  const replace = (next: SourceValues) =>
    edit(sources.some(({ key }) => key === next.key) ? sources.map((one) => (one.key === next.key ? next : one)) : [...sources, next]);
  const add = () => setOpen(sourceValues(`new-${Date.now()}`, null));
  /** Beside another one of its kind: Enterprise stays before the others. */
  const swap = (source: SourceValues, by: -1 | 1) => {
    const other = shown[shown.indexOf(source) + by];
    if (!other || other.enterprise !== source.enterprise) return undefined;
    return () => edit(moved(sources, sources.indexOf(source), sources.indexOf(other)));
  };
  const addButton = editable && (
    <Button size="xs" variant="default" leftSection={<IconPlus size={15} />} onClick={add} data-new data-testid="add-source">
      Add a source
    </Button>
  );
  return (
    <Stack gap="md">
      {active_job_id ? (
        <JobPanel key={active_job_id} jobId={active_job_id} title="In progress" />
      ) : (
        <LastChange
          instance={instance}
          kind="instance_addons"
          asked={asked}
          words={ENDINGS}
          outcomeOf={upgradedText}
          wayOn={(job) =>
            editable && sent?.job === job.id && !changed && (
              <Button size="xs" variant="default" mt="xs" onClick={() => edit(sent.sources)} data-testid="take-up">
                Take up my changes again
              </Button>
            )
          }
        />
      )}
      {server.data?.status === 'offline' && !active_job_id && (
        <Notice tone="warn" icon={<IconPlugConnectedX size={18} />} title="The server is not connected" testId="server-offline">
          This is what was last known to be in force. A change that is asked for now waits until the server is back.
        </Notice>
      )}
      {status === 'stopped' && manages && !active_job_id && (
        <Notice tone="idle" icon={<IconInfoCircle size={18} />} title="The instance is stopped" testId="stopped">
          Start it to fetch or apply: what is fetched is tried with its running Odoo.
        </Notice>
      )}
      <Panel
        title="Sources"
        flush
        aside={
          <Group gap="xs">
            {addonButtonShown(addons, sources) && addButton}
            {manages && addons.sources.length > 0 && (
              <Button
                size="xs"
                leftSection={<IconRefresh size={15} />}
                disabled={!ready || changed}
                title={changed ? 'Apply or discard the changes first' : undefined}
                onClick={() => setAsking(true)}
                data-testid="fetch-commits"
              >
                Fetch new commits
              </Button>
            )}
          </Group>
        }
      >
        {sources.length > 0 ? (
          <ol className={classes.sources} aria-label="Sources of addons, first looked into first">
            {shown.map((source, index) => {
              const place = sources.indexOf(source);
              return (
                <SourceRow
                  key={source.key}
                  source={source}
                  number={index + 1}
                  mark={marks[place] ?? null}
                  problems={problems[place]}
                  onEdit={editable ? () => setOpen(source) : undefined}
                  onRemove={() => edit(sources.filter((one) => one !== source))}
                  onUp={swap(source, -1)}
                  onDown={swap(source, 1)}
                />
              );
            })}
          </ol>
        ) : (
          <EmptyState
            icon={<IconGitBranch size={22} />}
            title={removed.length > 0 ? 'No source is left' : 'Only what Odoo brings'}
            text="Add git repositories with modules: Odoo Enterprise, those of the community, your own. Each stays at an exact commit until you fetch."
            action={addButton}
          />
        )}
      </Panel>
      {changed && (
        <div className={classes.apply} role="region" aria-label="Changes that are not applied" data-testid="unsaved">
          <div style={{ minWidth: 0 }}>
            <Text size="sm" fw={600}>
              {changesText(sources, addons)}
            </Text>
            <Text size="xs" c={Object.keys(problems).length > 0 ? 'red' : 'dimmed'}>
              {Object.keys(problems).length > 0
                ? 'Some fields need another value; they are marked above.'
                : removed.length > 0
                  ? `To be removed: ${removed.join(', ')}`
                  : 'They go together, in one step.'}
            </Text>
          </div>
          <Group gap="xs">
            <Button variant="default" onClick={discard} data-testid="discard">
              Discard
            </Button>
            <Button disabled={!ready} onClick={() => setAsking(true)} data-testid="apply">
              Apply
            </Button>
          </Group>
        </div>
      )}
      {addons.sources.length > 0 && (
        <Panel title="In Odoo">
          <FactList
            facts={[
              ['Addons path', <CommandBox key="path" command={addons.addons_path.split(',').join('\n')} copied={addons.addons_path} label="addons path" />],
              ['Image', addons.built_image ? <BuiltImage key="built" name={addons.built_image} /> : instance.image],
            ]}
          />
        </Panel>
      )}
      <SourceDialog
        source={open}
        isNew={open !== null && !sources.some(({ key }) => key === open.key)}
        others={sources.filter(({ key }) => key !== open?.key).map(shownName)}
        problems={open ? problems[sources.indexOf(open)] : undefined}
        onClose={() => setOpen(null)}
        onDone={(next) => {
          replace(next);
          setOpen(null);
        }}
      />
      <ApplyDialog
        opened={asking}
        same={!changed}
        removed={removed}
        run={apply}
        onClose={() => setAsking(false)}
        onConfirm={(way) => apply.mutate(way)}
      />
    </Stack>
  );
}

/** The empty state has its own. */
function addonButtonShown(addons: Addons, sources: SourceValues[]): boolean {
  return sources.length > 0 || addons.sources.length > 0;
}

function changesText(sources: SourceValues[], { sources: stored }: Addons): string {
  const count = marksOf(sources, stored).filter(Boolean).length + removedOf(sources, stored).length;
  return `${plural(count, 'change')} not applied yet`;
}

function BuiltImage({ name }: { name: string }) {
  return (
    <>
      <span className={classes.code}>{name}</span>
      <Text size="xs" c="dimmed">
        Built here, with the Python packages that the sources ask for.
      </Text>
    </>
  );
}
