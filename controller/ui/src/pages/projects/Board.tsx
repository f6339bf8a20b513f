// The environments of a project, a column for each type.
import { ActionIcon, Button, Text, Title, Tooltip } from '@mantine/core';
import { IconPlus, IconStack2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { projectEnvironmentsQuery } from '@/api/projectQueries';
import { environmentTypeValues, type Environment, type EnvironmentType, type Project } from '@/api/types';
import { EmptyState, Loaded } from '@/components/States';
import { EnvironmentCard } from './EnvironmentCard';
import classes from './projects.module.css';
import { byName, TYPES } from './projects';

export interface BoardProps {
  project: Project;
  /** Makes an environment; none: one may not, or the project is archived. */
  onAdd?: (type: EnvironmentType | null) => void;
}

export function Board({ project, onAdd }: BoardProps) {
  const environments = useQuery(projectEnvironmentsQuery(project.id));
  return (
    <Loaded query={environments} rows={8}>
      {(list) =>
        list.length === 0 ? (
          <EmptyState
            icon={<IconStack2 size={22} />}
            title="No environment yet"
            text="Instances live in environments: production for what customers use, staging and development for what comes next."
            action={
              onAdd && (
                <Button leftSection={<IconPlus size={16} />} onClick={() => onAdd(null)}>
                  New environment
                </Button>
              )
            }
          />
        ) : (
          <div className={classes.board} data-testid="board">
            {environmentTypeValues.map((type) => (
              <Column key={type} type={type} project={project} environments={list.filter((one) => one.type === type)} onAdd={onAdd} />
            ))}
          </div>
        )
      }
    </Loaded>
  );
}

function Column({ type, project, environments, onAdd }: BoardProps & { type: EnvironmentType; environments: Environment[] }) {
  const id = useId();
  const { title, text } = TYPES[type];
  const full = type === 'production' && environments.length > 0;
  return (
    <section className={classes.column} aria-labelledby={id} data-testid={`column-${type}`}>
      <div className={classes.columnHead}>
        <div>
          <Title order={2} size="h3" id={id}>
            {title}
          </Title>
          <Text size="xs" c="dimmed">
            {text}
          </Text>
        </div>
        {onAdd && !full && (
          <Tooltip label={`New ${type} environment`}>
            <ActionIcon color="gray" aria-label={`New ${type} environment`} onClick={() => onAdd(type)} data-testid={`add-${type}`}>
              <IconPlus size={17} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      {byName(environments).map((environment) => (
        <EnvironmentCard key={environment.id} environment={environment} project={project} />
      ))}
      {environments.length === 0 && <div className={classes.none}>None in this project.</div>}
    </section>
  );
}
