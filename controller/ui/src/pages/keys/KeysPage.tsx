import { Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconKey, IconPlus, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { apiKeysQuery } from '@/api/identityQueries';
import { PageHeader } from '@/components/PageHeader';
import { Pager, usePaging } from '@/components/Pager';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, Loaded } from '@/components/States';
import { useSession } from '@/shell/session';
import { CreateKeyDialog } from './CreateKeyDialog';
import { KeyDialogs, type KeyAction } from './KeyDialogs';
import { KeyTable } from './KeyTable';

export default function KeysPage() {
  const { q } = useSearch({ from: '/app/api-keys' });
  const navigate = useNavigate({ from: '/api-keys' });
  const { can } = useSession();
  const [creating, { open, close }] = useDisclosure();
  const [action, setAction] = useState<KeyAction | null>(null);
  const paging = usePaging(q ?? '');
  const list = useQuery({ ...apiKeysQuery({ ...paging.query, q }), placeholderData: keepPreviousData });
  const newButton = can('manage:api-keys') && (
    <Button leftSection={<IconPlus size={16} />} onClick={open} data-new data-testid="new-key">
      New key
    </Button>
  );
  return (
    <>
      <PageHeader
        title="API keys"
        subtitle="For programs. Each may do what it was given, and never more than whose key it is."
        actions={newButton}
      />
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search keys"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: { q: next || undefined }, replace: true })}
          />
        </Group>
        <Loaded query={list}>
          {(data) =>
            data.data.length === 0 ? (
              q ? (
                <EmptyState icon={<IconSearchOff size={22} />} title="No key matches" text="Try another word." />
              ) : (
                <EmptyState
                  icon={<IconKey size={22} />}
                  title="No key yet"
                  text="Make one for a script or a pipeline, with just the permissions that it needs."
                  action={newButton}
                />
              )
            ) : (
              <KeyTable list={data.data} onAction={setAction} />
            )
          }
        </Loaded>
        <Pager paging={paging} page={list.data} noun="key" />
      </Panel>
      <CreateKeyDialog opened={creating} onClose={close} />
      <KeyDialogs action={action} onClose={() => setAction(null)} />
    </>
  );
}
