import { Button, Group, List, Modal, Radio, Select, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { serviceAccountsQuery } from '@/api/identityQueries';
import { keys } from '@/api/queries';
import type { Member } from '@/api/types';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { useSession } from '@/shell/session';

type Fate = 'revoke' | 'give';

interface Query {
  keys?: Fate;
  service_account_id?: string;
  dry_run?: boolean;
}

function request({ id, version }: Member, query: Query) {
  return unwrap(
    api.DELETE('/api/members/{id}', { params: { path: { id }, query }, headers: { 'If-Match': `"${version}"` } }),
  );
}

export function RemoveMemberDialog({ member, onClose, onRemoved }: { member: Member | null; onClose: () => void; onRemoved?: () => void }) {
  return (
    <Modal opened={member !== null} onClose={onClose} title={`Remove ${member?.name ?? ''}`}>
      {member && <RemoveForm key={member.id} member={member} onClose={onClose} onRemoved={onRemoved} />}
    </Modal>
  );
}

/** Tries first: the controller says whether there are keys whose fate is to be decided. */
function RemoveForm({ member, onClose, onRemoved }: { member: Member; onClose: () => void; onRemoved?: () => void }) {
  const client = useQueryClient();
  const { organization, can } = useSession();
  const [fate, setFate] = useState<Fate>('revoke');
  const [account, setAccount] = useState<string | null>(null);
  const check = useMutation({ mutationFn: () => request(member, { dry_run: true }), meta: { showsError: true } });
  const { mutate: tryOut } = check;
  useEffect(() => tryOut(), [tryOut]);
  const problem = check.error && asApiError(check.error);
  const hasKeys = problem?.code === 'member_has_keys';
  const accounts = useQuery({ ...serviceAccountsQuery, enabled: hasKeys && can('view:api-keys') });
  const remove = useMutation({
    mutationFn: () => {
      if (!hasKeys) return request(member, {});
      return request(member, fate === 'give' && account ? { keys: 'give', service_account_id: account } : { keys: 'revoke' });
    },
    meta: { showsError: true },
    onSuccess: () => {
      notifications.show({ message: `${member.name} has been removed` });
      for (const queryKey of [keys.members, keys.apiKeys, keys.roles]) void client.invalidateQueries({ queryKey });
      onClose();
      onRemoved?.();
    },
  });
  if (check.isPending || check.isIdle) return <Skeleton height={120} />;
  if (problem && !hasKeys) {
    return (
      <Stack>
        <Text size="sm" role="alert" data-testid="form-error">
          {problem.message}
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
        </Group>
      </Stack>
    );
  }
  // The message lists the names before it says how to answer.
  const names = problem?.message.split('.')[0]?.split(': ')[1];
  return (
    <Stack gap="md">
      <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="What happens">
        <List size="sm" spacing={2}>
          <List.Item>
            {member.name} loses access to {organization.name} within five seconds, open terminals and logs too.
          </List.Item>
          <List.Item>What they made stays. Their account and their other organizations stay as well.</List.Item>
        </List>
      </Notice>
      {hasKeys && (
        <Radio.Group
          value={fate}
          onChange={(value) => setFate(value as Fate)}
          label="And their API keys?"
          description={names ? `They made: ${names}.` : problem?.message}
        >
          <Stack gap="xs" mt="xs">
            <Radio value="revoke" label="Revoke them" description="Programs that use them are refused from now on." />
            <Radio
              value="give"
              label="Give them to a service account"
              description="They go on working, with no more than it may do."
              disabled={accounts.data?.length === 0}
            />
          </Stack>
        </Radio.Group>
      )}
      {hasKeys && fate === 'give' && (
        <Select
          label="Service account"
          placeholder={accounts.isPending ? 'Loading …' : 'Choose one'}
          data={(accounts.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          searchable
          value={account}
          onChange={setAccount}
          error={accounts.error && asApiError(accounts.error).message}
        />
      )}
      {hasKeys && accounts.data?.length === 0 && (
        <Text size="xs" c="dimmed">
          There is no service account that could get them. Make one first to keep them.
        </Text>
      )}
      <FormError error={remove.error} />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button
          color="red"
          loading={remove.isPending}
          disabled={hasKeys && fate === 'give' && !account}
          onClick={() => remove.mutate()}
          data-testid="confirm-remove"
        >
          Remove {member.name}
        </Button>
      </Group>
    </Stack>
  );
}
