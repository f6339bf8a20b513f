import { Badge, Button, Group, Input, Modal, Stack, Table, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus, IconRobot, IconSearchOff } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { grantErrors, grantProblems } from '@/access/grants';
import { GrantsEditor, inputsOf, type GrantDraft } from '@/access/GrantsEditor';
import { useScopes } from '@/access/useScopes';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { serviceAccountsQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { ServiceAccount } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { ServiceAccountLink } from '@/components/Links';
import { ListTable } from '@/components/ListTable';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, Loaded } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { nameProblem } from '@/lib/slug';
import { useSession } from '@/shell/session';

export default function ServiceAccountsPage() {
  const { q } = useSearch({ from: '/app/service-accounts' });
  const navigate = useNavigate({ from: '/service-accounts' });
  const { can } = useSession();
  const [making, { open, close }] = useDisclosure();
  const accounts = useQuery(serviceAccountsQuery);
  const words = (q ?? '').toLowerCase();
  const shown = (accounts.data ?? []).filter((account) => `${account.name} ${account.description}`.toLowerCase().includes(words));
  const newButton = can('manage:api-keys') && (
    <Button leftSection={<IconPlus size={16} />} onClick={open} data-new data-testid="new-account">
      New service account
    </Button>
  );
  return (
    <>
      <PageHeader title="Service accounts" subtitle="For programs that work for the organization and not for one person." actions={newButton} />
      <Panel flush>
        <Group p="sm">
          <SearchInput
            label="Search service accounts"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: { q: next || undefined }, replace: true })}
          />
        </Group>
        <Loaded query={accounts}>
          {() =>
            shown.length === 0 ? (
              q ? (
                <EmptyState icon={<IconSearchOff size={22} />} title="None matches" text="Try another word." />
              ) : (
                <EmptyState
                  icon={<IconRobot size={22} />}
                  title="No service account yet"
                  text="It has roles like a person and API keys of its own, which go on working when people leave."
                  action={newButton}
                />
              )
            ) : (
              <ListTable
                label="Service accounts"
                columns={[{ label: 'Name' }, { label: 'Roles', from: 'sm' }, { label: 'Keys' }, { label: 'Made', from: 'md' }]}
              >
                {shown.map((account) => (
                  <AccountRow key={account.id} account={account} />
                ))}
              </ListTable>
            )
          }
        </Loaded>
      </Panel>
      <Modal opened={making} onClose={close} size="lg" title="New service account">
        <AccountForm onClose={close} />
      </Modal>
    </>
  );
}

function AccountRow({ account }: { account: ServiceAccount }) {
  const { nameOf } = useScopes();
  return (
    <Table.Tr data-testid="account-row" data-account={account.name}>
      <Table.Td>
        <ServiceAccountLink id={account.id} strong>
          {account.name}
        </ServiceAccountLink>
        <Text size="xs" c="dimmed" lineClamp={1}>
          {account.description}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Group gap={6}>
          {account.grants.length === 0 && (
            <Text size="sm" c="dimmed">
              none
            </Text>
          )}
          {account.grants.slice(0, 4).map((grant) => (
            <Badge key={`${grant.role_id} ${grant.scope.id}`} title={nameOf(grant.scope)}>
              {grant.role}
              {grant.scope.type !== 'organization' && ` · ${nameOf(grant.scope)}`}
            </Badge>
          ))}
          {account.grants.length > 4 && <Badge color="gray">{account.grants.length - 4} more</Badge>}
        </Group>
      </Table.Td>
      <Table.Td className="numbers">{account.key_count}</Table.Td>
      <Table.Td visibleFrom="md">
        <TimeAgo at={account.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}

function AccountForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [grants, setGrants] = useState<GrantDraft[]>([]);
  const [tried, setTried] = useState(false);
  const form = useForm({ initialValues: { name: '', description: '' }, validate: { name: nameProblem } });
  const problems = grantProblems(inputsOf(grants));
  const create = useMutation({
    mutationFn: ({ name, description }: typeof form.values) =>
      unwrap(
        api.POST('/api/service-accounts', {
          body: { name: name.trim(), description: description.trim(), grants: inputsOf(grants) },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', description: 'description' }));
      if (problem.status === 409 && problem.fields.length === 0) form.setFieldError('name', problem.message);
    },
    onSuccess: (account) => {
      client.setQueryData(keys.serviceAccount(account.id), account);
      void client.invalidateQueries({ queryKey: keys.serviceAccounts });
      void navigate({ to: '/service-accounts/$id', params: { id: account.id } });
    },
  });
  const told = create.error ? grantErrors(asApiError(create.error)) : {};
  return (
    <form
      onSubmit={form.onSubmit((values) => {
        setTried(true);
        if (Object.keys(problems).length === 0) create.mutate(values);
      })}
      aria-label="New service account"
      data-testid="account-form"
      noValidate
    >
      <Stack gap="sm">
        <TextInput label="Name" placeholder="ci-runner" data-autofocus autoComplete="off" {...form.getInputProps('name')} />
        <Textarea label="Description" placeholder="What it is for" autosize minRows={1} {...form.getInputProps('description')} />
        <Input.Wrapper label="Roles" labelElement="div">
          <GrantsEditor value={grants} onChange={setGrants} errors={tried ? { ...told, ...problems } : {}} />
        </Input.Wrapper>
        <FormError error={create.error} shown={{ ...form.errors, ...told }} />
        <FormButtons onCancel={onClose} loading={create.isPending}>
          Create
        </FormButtons>
      </Stack>
    </form>
  );
}
