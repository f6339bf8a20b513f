import { AppShell, Burger, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import {
  IconApi,
  IconArchive,
  IconBuildingWarehouse,
  IconBook2,
  IconBox,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconListCheck,
  IconPackage,
  IconRobot,
  IconServer2,
  IconSettings,
  IconShieldCheck,
  IconStack2,
  IconUsersGroup,
  IconWebhook,
} from '@tabler/icons-react';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { Suspense, useEffect, useRef } from 'react';
import type { Event } from '@/api/types';
import { Logo } from '@/components/Logo';
import { LoadingRows } from '@/components/States';
import { LiveProvider } from '@/live/LiveProvider';
import { causeOf, isAlarming, messageOf, sentenceOf } from '@/lib/events';
import { NoticeBell } from '@/pages/notices/NoticeBell';
import { AdminNavigation } from './AdminNavigation';
import { UserMenu } from './HeaderMenus';
import { LiveDot, OfflineBanner } from './LiveState';
import { OrganizationMenu } from './OrganizationMenu';
import { SessionProvider, useSession } from './session';
import { Unaffiliated } from './Unaffiliated';
import classes from './shell.module.css';
import { Shortcuts } from './Shortcuts';

const PAGES = [
  { to: '/', label: 'Dashboard', icon: IconLayoutDashboard, needs: null },
  { to: '/servers', label: 'Servers', icon: IconServer2, needs: 'view:servers' },
  { to: '/projects', label: 'Projects', icon: IconStack2, needs: 'view:projects' },
  { to: '/instances', label: 'Instances', icon: IconBox, needs: 'view:instances' },
  { to: '/backups', label: 'Backups', icon: IconArchive, needs: 'view:backups' },
  { to: '/jobs', label: 'Jobs', icon: IconListCheck, needs: null },
] as const;

const ORGANIZATION_PAGES = [
  { to: '/members', label: 'Members', icon: IconUsersGroup, needs: 'view:members' },
  { to: '/roles', label: 'Roles', icon: IconShieldCheck, needs: 'view:roles' },
  { to: '/api-keys', label: 'API keys', icon: IconKey, needs: 'view:api-keys' },
  { to: '/service-accounts', label: 'Service accounts', icon: IconRobot, needs: 'view:api-keys' },
  { to: '/registries', label: 'Registries', icon: IconPackage, needs: 'view:credentials' },
  { to: '/backup-destinations', label: 'Backup destinations', icon: IconBuildingWarehouse, needs: 'view:backups' },
  { to: '/webhooks', label: 'Webhooks', icon: IconWebhook, needs: 'view:webhooks' },
  { to: '/audit', label: 'Audit log', icon: IconHistory, needs: 'view:audit' },
  { to: '/organization', label: 'Settings', icon: IconSettings, needs: 'view:org' },
] as const;

type Page = (typeof PAGES)[number] | (typeof ORGANIZATION_PAGES)[number];

function Pages({ pages, onGo }: { pages: Page[]; onGo: () => void }) {
  return pages.map(({ to, label, icon: Icon }) => (
    <Link key={to} to={to} className={classes.navLink} activeOptions={{ exact: to === '/' }} onClick={onGo}>
      <Icon size={18} stroke={1.7} aria-hidden />
      {label}
    </Link>
  ));
}

function Navigation({ onGo }: { onGo: () => void }) {
  const { can } = useSession();
  const allowed = <P extends { needs: string | null }>(pages: readonly P[]) =>
    pages.filter(({ needs }) => needs === null || can(needs));
  const ofOrganization = allowed(ORGANIZATION_PAGES);
  return (
    <>
      <Pages pages={allowed(PAGES)} onGo={onGo} />
      {ofOrganization.length > 0 && <div className={classes.navSection}>Organization</div>}
      <Pages pages={ofOrganization} onGo={onGo} />
      <AdminNavigation onGo={onGo} />
      <div className={classes.navSection}>Help</div>
      <a href="/docs/guide" className={classes.navLink}>
        <IconBook2 size={18} stroke={1.7} aria-hidden />
        Guide
      </a>
      <a href="/docs" className={classes.navLink}>
        <IconApi size={18} stroke={1.7} aria-hidden />
        API reference
      </a>
    </>
  );
}

function announce(event: Event) {
  // After a reconnect old events come in too: nobody wants a toast for what happened an hour ago.
  if (!isAlarming(event) || Date.now() - Date.parse(event.created_at) > 60_000) return;
  notifications.show({ id: causeOf(event), color: 'red', title: sentenceOf(event), message: messageOf(event) ?? '' });
}

function Frame() {
  const { user, organization } = useSession();
  const [menu, { toggle, close }] = useDisclosure();
  const [help, helpHandlers] = useDisclosure();
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const first = useRef(true);
  useEffect(() => {
    // A screen reader starts at the new page's top; the first page is read by itself.
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
  }, [pathname]);

  return (
    <LiveProvider
      key={`${user.id} ${organization.slug}`}
      userId={user.id}
      organization={organization.slug}
      onEvent={announce}
    >
      <a href="#main" className="skip-link">
        Skip to the content
      </a>
      <AppShell
        header={{ height: 52 }}
        navbar={{ width: 216, breakpoint: 'sm', collapsed: { mobile: !menu } }}
        padding={{ base: 'sm', sm: 'lg' }}
      >
        <AppShell.Header className={classes.header}>
          <Burger
            opened={menu}
            onClick={toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label={menu ? 'Close the navigation' : 'Open the navigation'}
          />
          <Link to="/" className={classes.brand} aria-label="oCore, dashboard">
            <Logo />
            <Text span inherit visibleFrom="xs">
              oCore
            </Text>
          </Link>
          <Text c="dimmed" aria-hidden visibleFrom="xs">
            /
          </Text>
          <OrganizationMenu />
          <span style={{ flex: 1 }} />
          <LiveDot />
          <NoticeBell />
          <UserMenu onShortcuts={helpHandlers.open} />
        </AppShell.Header>
        <AppShell.Navbar className={classes.nav} aria-label="Main">
          <Navigation onGo={close} />
        </AppShell.Navbar>
        <AppShell.Main id="main" ref={main} tabIndex={-1} style={{ outline: 'none' }}>
          <div className={classes.main}>
            <OfflineBanner />
            <Suspense fallback={<LoadingRows />}>
              <Outlet />
            </Suspense>
          </div>
        </AppShell.Main>
      </AppShell>
      <Shortcuts opened={help} onOpen={helpHandlers.open} onClose={helpHandlers.close} />
    </LiveProvider>
  );
}

export default function Shell() {
  return (
    <SessionProvider fallback={<Unaffiliated />}>
      <Frame />
    </SessionProvider>
  );
}
