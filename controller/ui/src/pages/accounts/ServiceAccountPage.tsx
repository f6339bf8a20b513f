import { Button, Group, Input, Stack, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { grantErrors, grantProblems, sameGrants } from '@/access/grants';
import { draftsOf, GrantsEditor, inputsOf } from '@/access/GrantsEditor';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { allApiKeysQuery, serviceAccountQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { ServiceAccount } from '@/api/types';
import { ConfirmByName } from '@/components/ConfirmByName';
import { FormError } from '@/components/FormError';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { EmptyState, ErrorState, Loaded, LoadingRows } from '@/components/States';
import { plural } from '@/lib/format';
import { nameProblem } from '@/lib/slug';
import { CreateKeyDialog } from '@/pages/keys/CreateKeyDialog';
import { KeyDialogs, type KeyAction } from '@/pages/keys/KeyDialogs';
import { KeyTable } from '@/pages/keys/KeyTable';
import { GrantTable } from '@/pages/members/MemberGrants';
import { useSession } from '@/shell/session';

export default function ServiceAccountPage() {
  const { id } = useParams({ from: '/app/service-accounts/$id' });
  const { data: account, error, refetch } = useQuery(serviceAccountQuery(id));
  if (error && (!account || asApiError(error).status === 404)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!account) return <LoadingRows rows={8} />;
  return <Page key={account.id} account={account} />;
}

function Page({ account }: { account: ServiceAccount }) {
  const { can } = useSession();
  const [deleting, { open, close }] = useDisclosure();
  const editable = can('manage:api-keys');
  return (
    <>
      <PageHeader
        title={account.name}
        parent={<Link to="/service-accounts">Service accounts</Link>}
        subtitle={account.description}
        actions={
          editable && (
            <Button color="red" variant="light" leftSection={<IconTrash size={16} />} onClick={open} data-testid="delete-account">
              Delete
            </Button>
          )
        }
      />
      <Stack gap="md">
        <Keys account={account} />
        {editable ? (
          <Editor account={account} />
        ) : (
          <Panel title="Roles" flush>
            <GrantTable grants={account.grants} />
          </Panel>
        )}
      </Stack>
      <DeleteDialog account={account} opened={deleting} onClose={close} />
    </>
  );
}

function Keys({ account }: { account: ServiceAccount }) {
  const { can } = useSession();
  const [creating, { open, close }] = useDisclosure();
  const [action, setAction] = useState<KeyAction | null>(null);
  const list = useQuery(allApiKeysQuery);
  const own = (list.data ?? []).filter((key) => key.service_account_id === account.id);
  const newButton = can('manage:api-keys') && (
    <Button size="xs" leftSection={<IconPlus size={14} />} onClick={open} data-new data-testid="new-key">
      New key
    </Button>
  );
  return (
    <Panel title="Keys" flush aside={own.length > 0 && newButton}>
      <Loaded query={list} rows={2}>
        {() =>
          own.length === 0 ? (
            <EmptyState
              icon={<IconKey size={22} />}
              title="No key yet"
              text={
                account.grants.length === 0
                  ? 'Give the account a role first: a key never may more than the account.'
                  : 'The account acts by its keys. None may do more than the account itself.'
              }
              action={newButton}
            />
          ) : (
            <KeyTable list={own} ofAccount onAction={setAction} />
          )
        }
      </Loaded>
      <CreateKeyDialog opened={creating} onClose={close} account={account} />
      <KeyDialogs action={action} onClose={() => setAction(null)} />
    </Panel>
  );
}

function Editor({ account }: { account: ServiceAccount }) {
  const client = useQueryClient();
  // The version is the one that the form began with, so that nobody's change is written over unseen.
  const [begun, setBegun] = useState(account);
  const [drafts, setDrafts] = useState(() => draftsOf(account.grants));
  const [tried, setTried] = useState(false);
  const form = useForm({
    initialValues: { name: account.name, description: account.description },
    validate: { name: nameProblem },
  });
  const wanted = inputsOf(drafts);
  const problems = grantProblems(wanted);
  const dirty = form.isDirty() || !sameGrants(wanted, begun.grants);
  const show = (now: ServiceAccount) => {
    const values = { name: now.name, description: now.description };
    form.setValues(values);
    form.resetDirty(values);
    setDrafts(draftsOf(now.grants));
    setTried(false);
    setBegun(now);
  };
  const save = useMutation({
    mutationFn: ({ name, description }: typeof form.values) =>
      unwrap(
        api.PATCH('/api/service-accounts/{id}', {
          params: { path: { id: account.id } },
          headers: { 'If-Match': `"${begun.version}"` },
          body: { name: name.trim(), description: description.trim(), grants: wanted },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { name: 'name', description: 'description' }));
      if (problem.status === 412) void client.invalidateQueries({ queryKey: keys.serviceAccount(account.id) });
    },
    onSuccess: (saved) => {
      client.setQueryData(keys.serviceAccount(account.id), saved);
      void client.invalidateQueries({ queryKey: keys.serviceAccounts });
      show(saved);
      notifications.show({ message: 'Saved; it counts for its keys at once' });
    },
  });
  const told = save.error ? grantErrors(asApiError(save.error)) : {};
  return (
    <Panel title="Account and roles">
      <form
        onSubmit={form.onSubmit((values) => {
          setTried(true);
          if (Object.keys(problems).length === 0) save.mutate(values);
        })}
        aria-label="Account and roles"
        noValidate
      >
        <Stack gap="sm" maw={860}>
          <TextInput label="Name" maw={420} {...form.getInputProps('name')} />
          <Textarea label="Description" autosize minRows={1} {...form.getInputProps('description')} />
          <Input.Wrapper label="Roles" labelElement="div">
            <GrantsEditor value={drafts} onChange={setDrafts} errors={tried ? { ...told, ...problems } : {}} />
          </Input.Wrapper>
          <FormError error={save.error} shown={{ ...form.errors, ...told }} />
          <Group justify="flex-end" gap="xs">
            <Button
              variant="default"
              disabled={!dirty && account.version === begun.version}
              onClick={() => {
                save.reset();
                show(account);
              }}
            >
              Discard
            </Button>
            <Button type="submit" disabled={!dirty} loading={save.isPending} data-testid="save-account">
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function DeleteDialog({ account, opened, onClose }: { account: ServiceAccount; opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () =>
      unwrap(
        api.DELETE('/api/service-accounts/{id}', {
          params: { path: { id: account.id } },
          headers: { 'If-Match': `"${account.version}"` },
        }),
      ),
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: `${account.name} is deleted` });
      void client.invalidateQueries({ queryKey: keys.serviceAccounts });
      void client.invalidateQueries({ queryKey: keys.apiKeys });
      void navigate({ to: '/service-accounts' });
    },
  });
  return (
    <ConfirmByName
      opened={opened}
      onClose={onClose}
      title={`Delete ${account.name}`}
      name={account.name}
      losses={[
        account.key_count > 0
          ? `${plural(account.key_count, 'key')} of it: programs that use ${account.key_count === 1 ? 'it' : 'them'} are refused at once.`
          : 'It has no key that works.',
        'Its roles.',
      ]}
      action="Delete the account"
      run={remove}
      onConfirm={() => remove.mutate()}
    />
  );
}
