import { ActionIcon, Badge, Group, Menu, Text, Tooltip } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconDots, IconPencil, IconTrash } from '@tabler/icons-react';
import { CopyButton } from '@/components/Copy';
import { RowButton } from '@/components/RowButton';
import { shortId } from '@/lib/format';
import classes from './addons.module.css';
import { credentialText, directoriesText, shownName, type Mark, type SourceValues } from './sources';

const MARKS = { new: 'New', changed: 'Changed', moved: 'Moved' };

/** As its form calls them. */
const LABELS: Record<string, string> = {
  url: 'Address', name: 'Name', reference: 'Branch, tag or commit', enterprise: 'Odoo Enterprise', credential: 'Credential', username: 'User',
  token: 'Token', ssh_key: 'Private key', ca_certificate: 'CA certificate', known_hosts: 'Known hosts',
};

export interface SourceRowProps {
  source: SourceValues;
  /** Where Odoo looks for modules: 1 is the first. */
  number: number;
  mark: Mark;
  problems?: Record<string, string>;
  /** None: nothing can be changed. */
  onEdit?: () => void;
  onRemove: () => void;
  onUp?: () => void;
  onDown?: () => void;
}

export function SourceRow({ source, number, mark, problems, onEdit, onRemove, onUp, onDown }: SourceRowProps) {
  const { stored } = source;
  const name = shownName(source);
  // What the server found is of the source as it is in force.
  const found = mark === 'new' || mark === 'changed' ? null : stored;
  return (
    <li className={classes.source} data-source={name} data-mark={mark ?? undefined}>
      <span className={classes.number} aria-label={`Place ${number}`}>
        {number}
      </span>
      <div className={classes.what}>
        <Group gap={8}>
          {onEdit ? (
            <RowButton onClick={onEdit} testId="edit-source">
              <Text size="sm" fw={600} span>
                {name}
              </Text>
            </RowButton>
          ) : (
            <Text size="sm" fw={600} span>
              {name}
            </Text>
          )}
          {source.enterprise && (
            <Tooltip label="Odoo looks here before all others">
              <Badge size="sm">Enterprise · first</Badge>
            </Tooltip>
          )}
          {mark && (
            <Badge size="sm" color="orange" data-testid="mark">
              {MARKS[mark]}
            </Badge>
          )}
        </Group>
        <Text size="sm" className={classes.address}>
          {source.url}
        </Text>
        <dl className={classes.facts}>
          <div>
            <dt>Reference</dt>
            <dd className={classes.code}>{source.reference || 'default branch'}</dd>
          </div>
          <div>
            <dt>Commit</dt>
            <dd>
              {found?.commit ? (
                <Group gap={2} wrap="nowrap">
                  <span className={classes.code} title={found.commit}>
                    {shortId(found.commit, 10)}
                  </span>
                  <CopyButton value={found.commit} label={`Copy the commit of ${name}`} />
                </Group>
              ) : (
                <Text size="sm" c="dimmed" span>
                  not fetched yet
                </Text>
              )}
            </dd>
          </div>
          <div>
            <dt>Directories</dt>
            <dd>{found ? directoriesText(found.paths) : '–'}</dd>
          </div>
          <div>
            <dt>Credential</dt>
            <dd>{credentialText(source)}</dd>
          </div>
        </dl>
        {problems && (
          <div role="alert" data-testid="source-problems">
            {Object.entries(problems).map(([field, text]) => (
              <Text key={field} size="sm" c="red">
                {LABELS[field] ?? field}: {text}
              </Text>
            ))}
          </div>
        )}
      </div>
      {onEdit && (
        <Menu position="bottom-end" width={190}>
          <Menu.Target>
            <ActionIcon color="gray" aria-label={`Actions for ${name}`} data-testid="source-actions">
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={onEdit} data-testid="action-edit">
              Edit
            </Menu.Item>
            <Menu.Item leftSection={<IconArrowUp size={16} />} disabled={!onUp} onClick={onUp} closeMenuOnClick={false} data-testid="action-up">
              Move up
            </Menu.Item>
            <Menu.Item leftSection={<IconArrowDown size={16} />} disabled={!onDown} onClick={onDown} closeMenuOnClick={false} data-testid="action-down">
              Move down
            </Menu.Item>
            <Menu.Divider />
            <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onRemove} data-testid="action-remove">
              Remove
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </li>
  );
}
