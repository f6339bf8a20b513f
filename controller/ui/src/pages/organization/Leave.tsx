import { Button, Group, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { userQuery } from '@/api/queries';
import { Confirm } from '@/components/Confirm';
import { Panel } from '@/components/Panel';
import { useSession } from '@/shell/session';

export function Leave() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { organization } = useSession();
  const [opened, { open, close }] = useDisclosure();
  const leave = useMutation({
    mutationFn: () => unwrap(api.POST('/api/members/leave')),
    meta: { showsError: true },
    onSuccess: async () => {
      close();
      await client.fetchQuery({ ...userQuery, staleTime: 0 });
      await navigate({ to: '/' });
      notifications.show({ message: `You have left ${organization.name}` });
    },
  });
  return (
    <Panel title="Leave">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          You are {organization.role} here. Coming back takes another invitation.
        </Text>
        <Group>
          <Button color="red" variant="light" onClick={open} data-testid="leave">
            Leave this organization
          </Button>
        </Group>
      </Stack>
      <Confirm
        opened={opened}
        onClose={close}
        title={`Leave ${organization.name}`}
        action="Leave"
        run={leave}
        onConfirm={() => leave.mutate()}
      >
        Your access ends at once, open terminals too, and so do the API keys that you made for yourself here.
      </Confirm>
    </Panel>
  );
}
