// One entry of the audit log: who, when, where, and what changed.
import { Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { IconFilter } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { AuditEntry } from '@/api/types';
import { CopyButton } from '@/components/Copy';
import { AdminOrganizationLink, SubjectLink } from '@/components/Links';
import { FactList } from '@/components/Panel';
import { formatCount, formatDateTime, humanize } from '@/lib/format';
import { Changes } from './Changes';
import type { AuditSearch } from './filter';

export interface EntryDrawerProps {
  entry: AuditEntry | null;
  /** Across organizations: what the console can link to may be another one's. */
  ofPlatform: boolean;
  onClose: () => void;
  onFilter: (filter: AuditSearch) => void;
}

export function EntryDrawer({ entry, ofPlatform, onClose, onFilter }: EntryDrawerProps) {
  return (
    <Drawer
      opened={entry !== null}
      onClose={onClose}
      title={entry ? humanize(entry.action) : ''}
    >
      {entry && <Body key={entry.id} entry={entry} ofPlatform={ofPlatform} onFilter={onFilter} />}
    </Drawer>
  );
}

function Body({ entry, ofPlatform, onFilter }: Omit<EntryDrawerProps, 'entry' | 'onClose'> & { entry: AuditEntry }) {
  const { actor, subject } = entry;
  return (
    <Stack gap="lg" data-testid="audit-entry">
      <FactList
        facts={[
          ['Who', <>{actor.name} <Text key="kind" span inherit c="dimmed">{kindOf(actor.type)}</Text></>],
          ['What', <Text key="action" size="sm" ff="monospace" fz={12.5}>{entry.action}</Text>],
          [
            'On',
            <>
              {humanize(subject.type)}{' '}
              {ofPlatform ? subject.name : <SubjectLink key="subject" subject={subject} />}
            </>,
          ],
          ['When', formatDateTime(entry.created_at)],
          ['From', entry.address ?? 'the controller itself'],
          ['With', entry.user_agent ?? '–'],
          ['Request', entry.request_id ? <Id key="request" value={entry.request_id} label="Copy the request id" /> : '–'],
          ['Place in the chain', entry.seq == null ? 'being sealed' : `#${formatCount(entry.seq)}`],
          ...(ofPlatform ? [organizationOf(entry)] : []),
          ['Entry', <Id key="id" value={entry.id} label="Copy the entry's id" />],
        ]}
      />
      <Changes entry={entry} />
      <div>
        <Text size="xs" c="dimmed" mb={6}>
          Look for more
        </Text>
        <Group gap="xs">
          <More onClick={() => onFilter({ actor: actor.id })}>by {actor.name}</More>
          <More onClick={() => onFilter({ resource_type: subject.type, resource_id: subject.id })}>on {subject.name}</More>
          <More onClick={() => onFilter({ action: entry.action })}>of {entry.action}</More>
          {entry.address && <More onClick={() => onFilter({ address: entry.address ?? undefined })}>from {entry.address}</More>}
        </Group>
      </div>
    </Stack>
  );
}

function organizationOf({ organization_id: id }: AuditEntry): [string, ReactNode] {
  return ['Organization', id ? <AdminOrganizationLink key="organization" id={id}>{id}</AdminOrganizationLink> : 'the platform itself'];
}

function kindOf(type: string): string {
  return type === 'user' ? '' : type === 'system' ? 'by itself' : humanize(type).toLowerCase().replace('api', 'API');
}

function More({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <Button size="compact-sm" variant="default" leftSection={<IconFilter size={13} />} onClick={onClick} maw="100%">
      {children}
    </Button>
  );
}

function Id({ value, label }: { value: string; label: string }) {
  return (
    <Group gap={2} wrap="nowrap">
      <Text size="sm" ff="monospace" fz={12.5} style={{ overflowWrap: 'anywhere' }}>
        {value}
      </Text>
      <CopyButton value={value} label={label} />
    </Group>
  );
}
