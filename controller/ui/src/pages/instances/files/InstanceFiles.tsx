import { ActionIcon, Button, FileButton, Group, Menu, Stack, Table, Text, UnstyledButton } from '@mantine/core';
import { IconDots, IconDownload, IconFile, IconFilePlus, IconFolder, IconFolderPlus, IconLink, IconPencil, IconTrash, IconUpload } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState, type DragEvent } from 'react';
import { filesQuery } from '@/api/fileQueries';
import { currentOrganization } from '@/api/session';
import type { FileInfo, Instance } from '@/api/types';
import { PagedList } from '@/components/PagedList';
import { usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { RowButton } from '@/components/RowButton';
import { EmptyState } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { formatBytes } from '@/lib/format';
import { DeleteDialog } from './DeleteDialog';
import { FileEditor } from './FileEditor';
import { crumbs, isOpen, isReadable, ROOTS } from './files';
import classes from './files.module.css';
import { NameDialog, type Naming } from './NameDialog';
import { UploadList } from './UploadList';
import { useUploads } from './useUploads';

/** Where a browser fetches a file from, or a directory as a zip. */
function downloadUrl(instanceId: string, file: FileInfo): string {
  const what = file.type === 'directory' ? 'download-zip' : 'download';
  const organization = currentOrganization();
  const query = new URLSearchParams({ path: file.path, ...(organization && { org: organization }) });
  return `/api/instances/${instanceId}/files/${what}?${query}`;
}

/** The files of an instance, where they are. */
export default function InstanceFiles({ instance }: { instance: Instance }) {
  const { path = '' } = useSearch({ from: '/app/instances/$id' });
  const navigate = useNavigate({ from: '/instances/$id' });
  const paging = usePaging(path);
  const list = useQuery({ ...filesQuery(instance.id, path, paging.query), placeholderData: keepPreviousData });
  const bringing = useUploads(instance.id);
  const [naming, setNaming] = useState<Naming | null>(null);
  const [editing, setEditing] = useState<string | null>(null);
  const [deleting, setDeleting] = useState<FileInfo | null>(null);
  const [over, setOver] = useState(false);
  const takes = isOpen(path) && instance.status !== 'removing';
  const go = (to: string) => void navigate({ search: (before) => ({ ...before, path: to || undefined }) });
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const files = [...event.dataTransfer.items].flatMap((item) => {
      // A directory is no file that could be read.
      const isDirectory = item.webkitGetAsEntry()?.isDirectory ?? false;
      const file = isDirectory ? null : item.getAsFile();
      return file ? [file] : [];
    });
    bringing.add(files, path);
  };
  const tools = takes && (
    <Group gap="xs">
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="xs" variant="default" data-testid="new-in-files">
            New
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconFilePlus size={16} />} onClick={() => setNaming({ what: 'file', directory: path })} data-testid="new-file">
            File
          </Menu.Item>
          <Menu.Item leftSection={<IconFolderPlus size={16} />} onClick={() => setNaming({ what: 'directory', directory: path })} data-testid="new-directory">
            Directory
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <FileButton multiple onChange={(files) => bringing.add(files, path)} inputProps={{ 'aria-label': 'Files to upload' }}>
        {(props) => (
          <Button size="xs" leftSection={<IconUpload size={15} />} data-testid="upload" {...props}>
            Upload
          </Button>
        )}
      </FileButton>
    </Group>
  );
  return (
    <Stack gap="md">
      <UploadList bringing={bringing} />
      <div
        className={classes.area}
        data-over={over || undefined}
        data-testid="files"
        onDragOver={(event) => {
          if (!takes || !event.dataTransfer.types.includes('Files')) return;
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={(event) => !event.currentTarget.contains(event.relatedTarget as Node | null) && setOver(false)}
        onDrop={takes ? drop : undefined}
      >
        <Panel title="Files" flush aside={tools}>
          <Crumbs path={path} go={go} />
          <PagedList
            label="Files"
            query={list}
            paging={paging}
            noun="entry"
            many="entries"
            columns={[
              { label: 'Name' },
              { label: 'Size' },
              { label: 'Changed', from: 'sm' },
              { label: 'Mode', from: 'md' },
              { label: 'Actions', hiddenLabel: true },
            ]}
            empty={
              <EmptyState
                icon={<IconFolder size={22} />}
                title="Nothing in here"
                text={takes ? 'Drop files here, or make a new one. Odoo finds a module in addons/ once its list of modules was updated.' : 'There is nothing to see.'}
              />
            }
          >
            {(file) => (
              <FileRow
                key={file.path}
                file={file}
                instanceId={instance.id}
                inRoot={path === ''}
                open={() => (file.type === 'directory' ? go(file.path) : setEditing(file.path))}
                onRename={() => setNaming({ what: 'rename', path: file.path })}
                onDelete={() => setDeleting(file)}
              />
            )}
          </PagedList>
        </Panel>
      </div>
      {naming && (
        <NameDialog
          instanceId={instance.id}
          naming={naming}
          onClose={() => setNaming(null)}
          onMade={(made) => (naming.what === 'directory' ? go(made) : setEditing(made))}
        />
      )}
      {editing && <FileEditor key={editing} instanceId={instance.id} path={editing} onClose={() => setEditing(null)} />}
      {deleting && <DeleteDialog instanceId={instance.id} file={deleting} onClose={() => setDeleting(null)} />}
    </Stack>
  );
}

function Crumbs({ path, go }: { path: string; go: (path: string) => void }) {
  const way = [{ name: 'All', path: '' }, ...crumbs(path)];
  return (
    <nav className={classes.crumbs} aria-label="Path">
      {way.map((crumb, index) => (
        <span key={crumb.path}>
          {index > 0 && (
            <Text span c="dimmed" aria-hidden>
              /
            </Text>
          )}
          <UnstyledButton
            className={classes.crumb}
            fz="sm"
            aria-current={index === way.length - 1 ? 'page' : undefined}
            onClick={() => go(crumb.path)}
          >
            {crumb.name}
          </UnstyledButton>
        </span>
      ))}
    </nav>
  );
}

interface FileRowProps {
  file: FileInfo;
  instanceId: string;
  /** It is a root itself. */
  inRoot: boolean;
  open: () => void;
  onRename: () => void;
  onDelete: () => void;
}

const ICONS = { directory: IconFolder, file: IconFile, link: IconLink, other: IconFile };

function FileRow({ file, instanceId, inRoot, open, onRename, onDelete }: FileRowProps) {
  const Icon = ICONS[file.type];
  const isDirectory = file.type === 'directory';
  const label = (
    <span className={classes.name}>
      <Icon size={17} aria-hidden />
      {file.name}
      {inRoot && (
        <Text span size="xs" c="dimmed">
          {ROOTS[file.name]}
        </Text>
      )}
    </span>
  );
  const isFetched = isDirectory || file.type === 'file';
  return (
    <Table.Tr data-file={file.path}>
      <Table.Td>{isDirectory || isReadable(file) ? <RowButton onClick={open}>{label}</RowButton> : label}</Table.Td>
      <Table.Td className="numbers">{isDirectory ? '' : formatBytes(file.size)}</Table.Td>
      <Table.Td visibleFrom="sm">
        <TimeAgo at={file.modified_at} />
      </Table.Td>
      <Table.Td visibleFrom="md" className="numbers">
        {file.mode}
      </Table.Td>
      <Table.Td>
        {(isFetched || file.writable) && (
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${file.name}`}>
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {isFetched && (
                <Menu.Item component="a" href={downloadUrl(instanceId, file)} download leftSection={<IconDownload size={16} />}>
                  {isDirectory ? 'Download as a zip' : 'Download'}
                </Menu.Item>
              )}
              {file.writable && !inRoot && (
                <>
                  <Menu.Item leftSection={<IconPencil size={16} />} onClick={onRename}>
                    Rename
                  </Menu.Item>
                  <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onDelete}>
                    Delete
                  </Menu.Item>
                </>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
