import { Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconUsersGroup } from '@tabler/icons-react';
import { setCurrentOrganization } from '@/api/session';
import { EmptyState } from '@/components/States';
import { NewOrganizationDialog } from '@/pages/organization/NewOrganizationDialog';
import { useSignOut } from './signOut';

/** For somebody who belongs to no organization. */
export function Unaffiliated() {
  const [making, { open, close }] = useDisclosure();
  const signOut = useSignOut();
  return (
    <>
      <EmptyState
        icon={<IconUsersGroup size={22} />}
        title="You belong to no organization"
        text="Open the link of an invitation, ask an owner to invite you, or make an organization of your own."
        action={
          <Group gap="xs" justify="center">
            <Button onClick={open} data-testid="new-organization">
              New organization
            </Button>
            <Button variant="default" onClick={() => window.location.reload()}>
              Load again
            </Button>
            <Button variant="subtle" onClick={() => signOut.mutate()}>
              Sign out
            </Button>
          </Group>
        }
      />
      <NewOrganizationDialog opened={making} onClose={close} onMade={setCurrentOrganization} />
    </>
  );
}
