import { Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconUsersGroup } from '@tabler/icons-react';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { Suspense } from 'react';
import { setCurrentOrganization } from '@/api/session';
import { ButtonLink } from '@/components/ButtonLink';
import { Logo } from '@/components/Logo';
import { EmptyState, LoadingRows } from '@/components/States';
import { NewOrganizationDialog } from '@/pages/organization/NewOrganizationDialog';
import classes from './shell.module.css';
import { useSignOut } from './signOut';

/** For somebody who belongs to no organization: they have their account all the same. */
export function Unaffiliated() {
  const { pathname } = useLocation();
  if (pathname !== '/account') return <Nowhere />;
  return (
    <>
      <header className={classes.header} style={{ height: 52 }}>
        <Link to="/" className={classes.brand}>
          <Logo /> oCore
        </Link>
      </header>
      <main className={classes.main} style={{ padding: '16px 12px' }}>
        <Suspense fallback={<LoadingRows />}>
          <Outlet />
        </Suspense>
      </main>
    </>
  );
}

function Nowhere() {
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
            <ButtonLink to="/account" variant="default">
              Account
            </ButtonLink>
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
