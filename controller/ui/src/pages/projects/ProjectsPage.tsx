import { Badge, Button, Group, Switch, Table, Text } from '@mantine/core';
import { IconPlus, IconSearchOff, IconStack2 } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useHeld } from '@/access/useHeld';
import { projectsQuery } from '@/api/projectQueries';
import type { Project } from '@/api/types';
import { ProjectLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { formatCount } from '@/lib/format';
import { NewProjectDialog } from './NewProjectDialog';

export default function ProjectsPage() {
  const { q, archived, add } = useSearch({ from: '/app/projects' });
  const navigate = useNavigate({ from: '/projects' });
  const { everywhere } = useHeld();
  const paging = usePaging(`${q ?? ''}|${archived ?? ''}`);
  const projects = useQuery({
    ...projectsQuery({ ...paging.query, q, include_archived: archived !== undefined }),
    placeholderData: keepPreviousData,
  });
  const setAdding = (adding: boolean) => void navigate({ search: (s) => ({ ...s, add: adding ? 'project' : undefined }) });
  const newButton = everywhere.has('manage:projects') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)} data-new data-testid="new-project">
      New project
    </Button>
  );
  return (
    <>
      <PageHeader title="Projects" subtitle="What belongs together: its production, its staging, its development." actions={newButton} />
      <Panel flush>
        <Group p="sm" gap="md">
          <SearchInput
            label="Search projects"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace: true })}
          />
          <Switch
            label="Also archived ones"
            checked={archived !== undefined}
            onChange={(event) => {
              const next = event.currentTarget.checked ? 'true' : undefined;
              void navigate({ search: (s) => ({ ...s, archived: next }), replace: true });
            }}
            data-testid="show-archived"
          />
        </Group>
        <PagedList
          query={projects}
          paging={paging}
          noun="project"
          label="Projects"
          columns={[
            { label: 'Name' },
            { label: 'Odoo', from: 'sm' },
            { label: 'Environments' },
            { label: 'Instances' },
            { label: 'Changed', from: 'md' },
          ]}
          empty={
            q ? (
              <EmptyState
                icon={<IconSearchOff size={22} />}
                title="No project matches"
                text="Try another word, or look among the archived ones."
              />
            ) : (
              <EmptyState
                icon={<IconStack2 size={22} />}
                title="No project yet"
                text="A project keeps the environments of one customer or one shop together, and says which Odoo they run."
                action={newButton}
              />
            )
          }
        >
          {(project) => <Row key={project.id} project={project} />}
        </PagedList>
      </Panel>
      <NewProjectDialog opened={add !== undefined && everywhere.has('manage:projects')} onClose={() => setAdding(false)} />
    </>
  );
}

function Row({ project }: { project: Project }) {
  return (
    <Table.Tr data-testid="project-row" data-project={project.name}>
      <Table.Td>
        <Group gap="xs">
          <ProjectLink id={project.id} strong>
            {project.name}
          </ProjectLink>
          {project.archived_at && (
            <Badge size="sm" color="gray">
              archived
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed" lineClamp={1}>
          {project.description}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm" className="numbers">
        {project.odoo_version ?? (
          <Text size="sm" c="dimmed" span>
            any
          </Text>
        )}
      </Table.Td>
      <Table.Td className="numbers">{formatCount(project.environments_count)}</Table.Td>
      <Table.Td className="numbers">{formatCount(project.instances_count)}</Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={project.updated_at} />
      </Table.Td>
    </Table.Tr>
  );
}
