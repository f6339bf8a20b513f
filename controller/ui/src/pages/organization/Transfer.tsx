import { Button, Group, List, Modal, PasswordInput, Select, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { allMembersQuery } from '@/api/identityQueries';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { useSession } from '@/shell/session';

export function Transfer() {
  const [opened, { open, close }] = useDisclosure();
  return (
    <Panel title="Owner">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          You own this organization. There is one owner, who alone manages billing, hands the organization over and deletes it.
        </Text>
        <Group>
          <Button variant="default" onClick={open} data-testid="transfer">
            Hand it over
          </Button>
        </Group>
      </Stack>
      <Modal opened={opened} onClose={close} title="Hand the organization over">
        <TransferForm onClose={close} />
      </Modal>
    </Panel>
  );
}

function TransferForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { user, organization } = useSession();
  const members = useQuery(allMembersQuery);
  const others = (members.data ?? []).filter((member) => member.id !== user.id);
  const form = useForm({
    initialValues: { member_id: '', password: '' },
    validate: {
      member_id: (id) => (id ? null : 'Choose who gets it'),
      password: (password) => (password ? null : 'Your password is needed'),
    },
  });
  const chosen = others.find((member) => member.id === form.values.member_id);
  const transfer = useMutation({
    mutationFn: (body: typeof form.values) => unwrap(api.POST('/api/org/transfer', { body })),
    meta: { showsError: true },
    onError: (error) =>
      form.setErrors(fieldMessages(asApiError(error), { member_id: 'member_id', password: 'password' })),
    onSuccess: () => {
      notifications.show({ message: `${chosen?.name ?? 'Another member'} owns ${organization.name} now` });
      onClose();
      void client.invalidateQueries();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => transfer.mutate(values))} aria-label="Hand the organization over" noValidate>
      <Stack gap="md">
        <Select
          label="New owner"
          placeholder={members.isPending ? 'Loading …' : 'Choose a member'}
          data={others.map(({ id, name, email }) => ({ value: id, label: `${name} · ${email}` }))}
          searchable
          limit={60}
          nothingFoundMessage="No member matches"
          openOnFocus={false}
          data-autofocus
          {...form.getInputProps('member_id')}
        />
        {members.isSuccess && others.length === 0 && (
          <Text size="sm" c="dimmed">
            You are alone here. Invite somebody first.
          </Text>
        )}
        <Notice tone="warn" icon={<IconAlertTriangle size={18} />} title="What this means">
          <List size="sm" spacing={2}>
            <List.Item>{chosen?.name ?? 'The new owner'} may do everything, at once.</List.Item>
            <List.Item>You become an admin: without billing, and without deleting or handing over.</List.Item>
            <List.Item>Only {chosen?.name ?? 'the new owner'} can give it back.</List.Item>
          </List>
        </Notice>
        <PasswordInput label="Your password" autoComplete="current-password" {...form.getInputProps('password')} />
        <FormError error={transfer.error} shown={form.errors} />
        <FormButtons onCancel={onClose} cancel="Keep it" color="red" loading={transfer.isPending} disabled={others.length === 0}>
          Hand it over
        </FormButtons>
      </Stack>
    </form>
  );
}
