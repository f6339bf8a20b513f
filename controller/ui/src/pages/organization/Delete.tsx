import { Button, Group, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconHandStop } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import { userQuery } from '@/api/queries';
import type { Organization } from '@/api/types';
import { ConfirmByName } from '@/components/ConfirmByName';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';

function request(organization: Organization, dry_run: boolean) {
  return unwrap(
    api.DELETE('/api/org', {
      params: { query: dry_run ? { dry_run } : {} },
      headers: { 'If-Match': `"${organization.version}"` },
    }),
  );
}

/** Asks the controller first what is in the way. */
export function Delete({ organization }: { organization: Organization }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [opened, { open, close }] = useDisclosure();
  const check = useMutation({ mutationFn: () => request(organization, true), meta: { showsError: true }, onSuccess: open });
  const remove = useMutation({
    mutationFn: () => request(organization, false),
    meta: { showsError: true },
    onSuccess: async () => {
      close();
      await client.fetchQuery({ ...userQuery, staleTime: 0 });
      await navigate({ to: '/' });
      notifications.show({ message: `${organization.name} is deleted` });
    },
  });
  return (
    <Panel title="Delete">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          Possible once no server and no instance is left. It cannot be taken back.
        </Text>
        {check.error && (
          <Notice tone="warn" icon={<IconHandStop size={18} />} title="Not yet" role="alert" testId="delete-blocked">
            {asApiError(check.error).message}
          </Notice>
        )}
        <Group>
          <Button color="red" variant="light" loading={check.isPending} onClick={() => check.mutate()} data-testid="delete-organization">
            Delete this organization
          </Button>
        </Group>
      </Stack>
      <ConfirmByName
        opened={opened}
        onClose={close}
        title={`Delete ${organization.name}`}
        name={organization.name}
        losses={[
          'Its projects, environments and settings.',
          'Members lose access; their accounts stay.',
          'API keys and service accounts stop working at once.',
          'Its audit log. The platform keeps an entry that it was deleted.',
        ]}
        action="Delete the organization"
        run={remove}
        onConfirm={() => remove.mutate()}
      />
    </Panel>
  );
}
