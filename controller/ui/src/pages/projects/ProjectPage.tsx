import { ActionIcon, Badge, Button, Menu } from '@mantine/core';
import { IconArchive, IconArchiveOff, IconDots, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { asApiError } from '@/api/errors';
import { projectQuery } from '@/api/projectQueries';
import type { EnvironmentType, Project } from '@/api/types';
import { PageHeader } from '@/components/PageHeader';
import { ErrorState, LoadingRows } from '@/components/States';
import { Board } from './Board';
import { NewEnvironmentDialog } from './EnvironmentDialogs';
import { ArchiveDialog, DeleteProjectDialog, EditProjectDialog } from './ProjectDialogs';

export default function ProjectPage() {
  const { id } = useParams({ from: '/app/projects/$id' });
  const { data: project, error, refetch } = useQuery(projectQuery(id));
  // What has been deleted is not shown any more, also where it still is in the cache.
  if (error && (!project || asApiError(error).status === 404)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!project) return <LoadingRows rows={8} />;
  return <Page key={project.id} project={project} />;
}

type Dialog = 'edit' | 'archive' | 'delete' | { add: EnvironmentType | null };

function Page({ project }: { project: Project }) {
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const manages = useHeld().at({ type: 'project', id: project.id }).has('manage:projects');
  const archived = project.archived_at != null;
  const close = () => setDialog(null);
  const add = manages && !archived ? (type: EnvironmentType | null) => setDialog({ add: type }) : undefined;
  return (
    <>
      <PageHeader
        title={project.name}
        parent={<Link to="/projects">Projects</Link>}
        status={
          archived && (
            <Badge color="gray" data-testid="archived">
              archived
            </Badge>
          )
        }
        subtitle={
          <>
            {project.description && <div>{project.description}</div>}
            {project.odoo_version
              ? `New instances run Odoo ${project.odoo_version}, unless they say otherwise.`
              : 'Each new instance says which Odoo it runs.'}
          </>
        }
        actions={
          manages && (
            <>
              {add && (
                <Button leftSection={<IconPlus size={16} />} onClick={() => add(null)} data-new data-testid="new-environment">
                  New environment
                </Button>
              )}
              <Menu position="bottom-end" width={210}>
                <Menu.Target>
                  <ActionIcon variant="default" size={36} aria-label="More actions" data-testid="more-actions">
                    <IconDots size={17} />
                  </ActionIcon>
                </Menu.Target>
                <Menu.Dropdown>
                  <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog('edit')} data-testid="action-edit">
                    Edit
                  </Menu.Item>
                  <Menu.Item
                    leftSection={archived ? <IconArchiveOff size={16} /> : <IconArchive size={16} />}
                    onClick={() => setDialog('archive')}
                    data-testid="action-archive"
                  >
                    {archived ? 'Restore' : 'Archive'}
                  </Menu.Item>
                  <Menu.Divider />
                  <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => setDialog('delete')} data-testid="action-delete">
                    Delete
                  </Menu.Item>
                </Menu.Dropdown>
              </Menu>
            </>
          )
        }
      />
      <Board project={project} onAdd={add} />
      <EditProjectDialog project={project} opened={dialog === 'edit'} onClose={close} />
      <ArchiveDialog project={project} opened={dialog === 'archive'} onClose={close} />
      <DeleteProjectDialog project={project} opened={dialog === 'delete'} onClose={close} />
      <NewEnvironmentDialog project={project} adding={typeof dialog === 'object' ? dialog : null} onClose={close} />
    </>
  );
}
