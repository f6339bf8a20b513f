import { Badge, Button, Group, Text } from '@mantine/core';
import { IconArrowBackUp, IconHistory } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { configHistoryQuery } from '@/api/configQueries';
import type { ConfigRevision, InstanceConfig } from '@/api/types';
import { JobLink } from '@/components/Links';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { EmptyState, Loaded } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import classes from './config.module.css';
import { GoBack } from './GoBack';
import { changeTexts } from './revisions';

export function ConfigHistory({ config, editable }: { config: InstanceConfig; editable: boolean }) {
  const paging = usePaging(config.instance_id);
  const [goingBack, setGoingBack] = useState<ConfigRevision | null>(null);
  const history = useQuery({ ...configHistoryQuery(config.instance_id, paging.query), placeholderData: keepPreviousData });
  // A revision is in use, too, while the instance has been changed otherwise since.
  const inUse = paging.number === 1 ? history.data?.data[0]?.id : undefined;
  return (
    <Panel flush>
      <Loaded query={history}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState
              icon={<IconHistory size={22} />}
              title="Nothing was changed yet"
              text="Each change of the settings is kept here, the last hundred of them, with a way back."
            />
          ) : (
            <ol className={classes.revisions} aria-label="Revisions">
              {data.map((revision) => (
                <Revision
                  key={revision.id}
                  revision={revision}
                  isInUse={revision.id === inUse}
                  onBack={editable && revision.id !== inUse && !config.active_job_id ? () => setGoingBack(revision) : undefined}
                />
              ))}
            </ol>
          )
        }
      </Loaded>
      <Pager paging={paging} page={history.data} noun="revision" />
      <GoBack config={config} revision={goingBack} onClose={() => setGoingBack(null)} />
    </Panel>
  );
}

function Revision({ revision, isInUse, onBack }: { revision: ConfigRevision; isInUse: boolean; onBack?: () => void }) {
  const { changes, actor, created_at, note, job_id } = revision;
  return (
    <li className={classes.revision} data-testid="revision-row" data-revision={revision.revision}>
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div style={{ minWidth: 0 }}>
          <Group gap="xs">
            <Text size="sm" fw={600}>
              Revision {revision.revision}
            </Text>
            {isInUse && <Badge size="sm">newest</Badge>}
          </Group>
          <Text size="xs" c="dimmed">
            {actor.name}, <TimeAgo at={created_at} />
            {job_id && (
              <>
                {' · '}
                <JobLink id={job_id}>job</JobLink>
              </>
            )}
          </Text>
          {note && (
            <Text size="sm" mt={4} style={{ overflowWrap: 'anywhere' }}>
              {note}
            </Text>
          )}
        </div>
        {onBack && (
          <Button variant="default" size="xs" leftSection={<IconArrowBackUp size={15} />} onClick={onBack} data-testid="back-to">
            Go back to this
          </Button>
        )}
      </Group>
      <Changes revision={revision} isFirst={actor.type === 'system' && changes.length === 0} />
    </li>
  );
}

function Changes({ revision: { changes }, isFirst }: { revision: ConfigRevision; isFirst: boolean }) {
  if (changes.length === 0) {
    return (
      <Text size="sm" c="dimmed" mt={6}>
        {/* What a password was is told nowhere, nor that one took the place of another. */}
        {isFirst ? 'As it was before the first change.' : 'No visible setting: another mail password.'}
      </Text>
    );
  }
  return (
    <dl className={classes.changes} data-testid="config-changes">
      {changes.map(changeTexts).map(({ setting, title, before, after }) => (
        <div key={setting} style={{ display: 'contents' }}>
          <dt>{title}</dt>
          <dd>
            <del>{before}</del>
            <span aria-hidden> → </span>
            <span className="visually-hidden">became</span>
            <ins>{after}</ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}
