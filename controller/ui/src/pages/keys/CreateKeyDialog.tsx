import { Input, Modal, NativeSelect, Select, SimpleGrid, Stack, TagsInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { useHeld } from '@/access/useHeld';
import { PermissionMatrix } from '@/access/PermissionMatrix';
import { closed, includes } from '@/access/permissions';
import { ScopePicker } from '@/access/ScopePicker';
import { heldAt, scopeProblem, WHOLE } from '@/access/scope';
import { useScopes } from '@/access/useScopes';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { rolesQuery, serviceAccountsQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { ApiKeyCreated, EffectivePermission, ScopeRef, ServiceAccount } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { nameProblem } from '@/lib/slug';
import { useSession } from '@/shell/session';
import { addressProblem } from './keys';
import { KeyShown } from './KeyShown';

const EXPIRIES = [
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
  { value: '', label: 'Never' },
];

export interface CreateKeyDialogProps {
  opened: boolean;
  onClose: () => void;
  /** Makes a key of this account; otherwise that can be chosen. */
  account?: ServiceAccount;
}

export function CreateKeyDialog({ opened, onClose, account }: CreateKeyDialogProps) {
  const [made, setMade] = useState<ApiKeyCreated | null>(null);
  useEffect(() => {
    if (opened) setMade(null);
  }, [opened]);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size={made ? 'lg' : 'xl'}
      title={made ? 'Copy the key now' : account ? `New key of ${account.name}` : 'New API key'}
      closeOnClickOutside={false}
      closeOnEscape={!made}
    >
      {made ? <KeyShown made={made} onClose={onClose} /> : <KeyForm account={account} onMade={setMade} onCancel={onClose} />}
    </Modal>
  );
}

/** What a service account holds, from its roles. */
function useAccountHolds(account: ServiceAccount | undefined): EffectivePermission[] | null {
  const roles = useQuery({ ...rolesQuery, enabled: account !== undefined });
  return useMemo(() => {
    if (!account || !roles.data) return null;
    return account.grants.flatMap(({ role_id, scope }) =>
      (roles.data.find((role) => role.id === role_id)?.permissions ?? []).map((permission) => ({ permission, scope, because: [] })),
    );
  }, [account, roles.data]);
}

interface KeyFormProps {
  account?: ServiceAccount;
  onMade: (made: ApiKeyCreated) => void;
  onCancel: () => void;
}

function KeyForm({ account: fixed, onMade, onCancel }: KeyFormProps) {
  const client = useQueryClient();
  const { can } = useSession();
  const held = useHeld();
  const { projectOf } = useScopes();
  const accounts = useQuery({ ...serviceAccountsQuery, enabled: !fixed && can('view:api-keys'), retry: false });
  const form = useForm({
    initialValues: {
      name: '',
      account: fixed?.id ?? '',
      permissions: [] as string[],
      scope: WHOLE as ScopeRef,
      days: '90',
      addresses: [] as string[],
    },
    validate: {
      name: nameProblem,
      permissions: (chosen) => (chosen.length > 0 ? null : 'Choose at least one permission'),
      scope: scopeProblem,
      addresses: addressProblem,
    },
  });
  const { scope, permissions } = form.values;
  const account = fixed ?? accounts.data?.find(({ id }) => id === form.values.account);
  const accountHolds = useAccountHolds(account);
  const givable = useMemo(() => {
    const own = held.at(scope);
    if (!accountHolds) return own;
    const its = heldAt(accountHolds, scope, projectOf);
    return new Set([...own].filter((permission) => its.has(permission)));
  }, [held, scope, accountHolds, projectOf]);
  // Another scope or account may allow less.
  const chosen = permissions.filter((permission) => includes(givable, permission));
  const create = useMutation({
    mutationFn: ({ name, days, addresses }: typeof form.values) =>
      unwrap(
        api.POST('/api/api-keys', {
          body: {
            name: name.trim(),
            permissions: closed(chosen),
            scope,
            expires_at: days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined,
            allowed_addresses: addresses.length > 0 ? addresses.map((text) => text.trim()) : undefined,
            service_account_id: account?.id,
          },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(
        fieldMessages(problem, {
          name: 'name', permissions: 'permissions', expires_at: 'days', scope: 'scope', service_account_id: 'account',
          ...Object.fromEntries(form.values.addresses.map((_, i) => [`allowed_addresses[${i}]`, 'addresses'])),
          allowed_addresses: 'addresses',
        }),
      );
      if (problem.status === 409 && problem.fields.length === 0) form.setFieldError('name', problem.message);
    },
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: keys.apiKeys });
      void client.invalidateQueries({ queryKey: keys.serviceAccounts });
      onMade(made);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))} data-testid="key-form" aria-label="New API key" noValidate>
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          <TextInput label="Name" placeholder="Deploy pipeline" data-autofocus autoComplete="off" {...form.getInputProps('name')} />
          {!fixed && accounts.data && accounts.data.length > 0 ? (
            <Select
              label="Whose"
              description="A key of yours ends when you leave; one of a service account stays."
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              data={[{ value: '', label: 'Mine' }, ...accounts.data.map(({ id, name }) => ({ value: id, label: name }))]}
              searchable
              allowDeselect={false}
              {...form.getInputProps('account')}
            />
          ) : (
            <NativeSelect label="Expires" data={EXPIRIES} {...form.getInputProps('days')} />
          )}
          <Input.Wrapper label="Counts in" error={form.errors.scope}>
            <ScopePicker label="Scope of the key" value={scope} onChange={(next) => form.setFieldValue('scope', next)} />
          </Input.Wrapper>
          {!fixed && accounts.data && accounts.data.length > 0 && (
            <NativeSelect label="Expires" data={EXPIRIES} {...form.getInputProps('days')} />
          )}
        </SimpleGrid>
        <TagsInput
          label="May be used from"
          description="Addresses and networks, such as 192.0.2.7 or 192.0.2.0/24. From everywhere when left empty."
          placeholder={form.values.addresses.length === 0 ? 'Everywhere' : undefined}
          splitChars={[',', ' ']}
          {...form.getInputProps('addresses')}
        />
        <Input.Wrapper label="Permissions" error={form.errors.permissions} labelElement="div">
          <PermissionMatrix
            label="Permissions of the key"
            value={chosen}
            onChange={(next) => form.setFieldValue('permissions', next)}
            held={givable}
            lacking={account ? `${account.name} or you do not hold` : undefined}
            height={340}
          />
        </Input.Wrapper>
        <FormError error={create.error} shown={form.errors} />
        <FormButtons onCancel={onCancel} loading={create.isPending}>
          Create key
        </FormButtons>
      </Stack>
    </form>
  );
}
