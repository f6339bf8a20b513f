// The table of contents: every page, its address, and what its address may carry.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, notFound, redirect } from '@tanstack/react-router';
import { asApiError } from '@/api/errors';
import { bootstrapQuery, userQuery } from '@/api/queries';
import { retrying } from '@/lib/retrying';
import { queryClient } from '@/queryClient';
import { NotFound, RouteError } from '@/shell/RouteStates';

type Search = Record<string, unknown>;

const AUDIT_SEARCH = ['q', 'actor', 'action', 'resource_type', 'resource_id', 'address', 'period', 'from', 'to'] as const;

/** Takes the named values as text, and only where they are set. */
function texts<K extends string>(...names: K[]) {
  return (search: Search): Partial<Record<K, string>> =>
    Object.fromEntries(
      names.filter((name) => search[name] !== undefined && search[name] !== '').map((name) => [name, String(search[name])]),
    ) as Partial<Record<K, string>>;
}

const root = createRootRoute({ notFoundComponent: NotFound, errorComponent: RouteError });

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: texts('next', 'email', 'oauth_error', 'email_change'),
  component: lazyRouteComponent(retrying(() => import('@/pages/auth/LoginPage'))),
});

const bootstrap = createRoute({
  getParentRoute: () => root,
  path: '/bootstrap',
  component: lazyRouteComponent(retrying(() => import('@/pages/auth/BootstrapPage'))),
});

const waysIn = [
  createRoute({
    getParentRoute: () => root,
    path: '/signup',
    validateSearch: texts('email'),
    component: lazyRouteComponent(retrying(() => import('@/pages/auth/SignUpPage'))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/verify-email',
    component: lazyRouteComponent(retrying(() => import('@/pages/auth/VerifyEmailPage'))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/forgot-password',
    validateSearch: texts('email'),
    component: lazyRouteComponent(retrying(() => import('@/pages/auth/ForgotPage'))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/reset-password',
    component: lazyRouteComponent(retrying(() => import('@/pages/auth/ResetPage'))),
  }),
] as const;

const invite = createRoute({
  getParentRoute: () => root,
  path: '/invite',
  component: lazyRouteComponent(retrying(() => import('@/pages/auth/InvitePage'))),
});

const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(userQuery);
    } catch (error) {
      if (asApiError(error).status !== 401) throw error;
      const { needed } = await queryClient.fetchQuery(bootstrapQuery);
      if (needed) throw redirect({ to: '/bootstrap' });
      throw redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } });
    }
  },
  component: lazyRouteComponent(retrying(() => import('@/shell/Shell'))),
});

const signals = [
  createRoute({
    getParentRoute: () => app,
    path: '/webhooks',
    validateSearch: texts('q', 'active'),
    component: lazyRouteComponent(retrying(() => import('@/pages/webhooks/WebhooksPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/webhooks/new',
    component: lazyRouteComponent(retrying(() => import('@/pages/webhooks/NewWebhookPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/webhooks/$id',
    validateSearch: texts('tab', 'status', 'type', 'subject', 'delivery'),
    component: lazyRouteComponent(retrying(() => import('@/pages/webhooks/WebhookPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/audit',
    validateSearch: texts(...AUDIT_SEARCH),
    component: lazyRouteComponent(retrying(() => import('@/pages/audit/AuditPage'))),
  }),
] as const;

const admin = createRoute({
  getParentRoute: () => app,
  path: '/admin',
  beforeLoad: async () => {
    const user = await queryClient.ensureQueryData(userQuery);
    if (!user.is_admin) throw notFound();
  },
});

const adminPages = [
  createRoute({
    getParentRoute: () => admin,
    path: '/',
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/OverviewPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/users',
    validateSearch: texts('q', 'status', 'is_admin'),
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/users/UsersPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/users/$id',
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/users/UserPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/organizations',
    validateSearch: texts('q'),
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/organizations/OrganizationsPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/organizations/$id',
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/organizations/OrganizationPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/jobs',
    validateSearch: texts('status', 'kind', 'executor', 'organization_id'),
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/jobs/JobsPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/mails',
    validateSearch: texts('q', 'status'),
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/mails/MailsPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/tunnels',
    validateSearch: texts('name'),
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/TunnelsPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/audit',
    validateSearch: texts(...AUDIT_SEARCH, 'organization_id'),
    component: lazyRouteComponent(retrying(() => import('@/pages/audit/PlatformAuditPage'))),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: '/settings',
    validateSearch: texts('tab'),
    component: lazyRouteComponent(retrying(() => import('@/pages/admin/settings/SettingsPage'))),
  }),
] as const;

const pages = [
  createRoute({
    getParentRoute: () => app,
    path: '/',
    component: lazyRouteComponent(retrying(() => import('@/pages/dashboard/DashboardPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/servers',
    validateSearch: texts('q', 'status', 'add'),
    component: lazyRouteComponent(retrying(() => import('@/pages/servers/ServersPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/servers/$id',
    validateSearch: texts('tab'),
    component: lazyRouteComponent(retrying(() => import('@/pages/servers/ServerPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/projects',
    validateSearch: texts('q', 'archived', 'add'),
    component: lazyRouteComponent(retrying(() => import('@/pages/projects/ProjectsPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/projects/$id',
    component: lazyRouteComponent(retrying(() => import('@/pages/projects/ProjectPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/instances',
    validateSearch: texts('q', 'status', 'server_id', 'environment_id'),
    component: lazyRouteComponent(retrying(() => import('@/pages/instances/InstancesPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/instances/new',
    validateSearch: texts('server_id', 'environment_id'),
    component: lazyRouteComponent(retrying(() => import('@/pages/instances/NewInstancePage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/instances/$id',
    validateSearch: texts('tab', 'view', 'q', 'path'),
    component: lazyRouteComponent(retrying(() => import('@/pages/instances/InstancePage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/jobs',
    validateSearch: texts('status', 'kind'),
    component: lazyRouteComponent(retrying(() => import('@/pages/jobs/JobsPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/jobs/$id',
    component: lazyRouteComponent(retrying(() => import('@/pages/jobs/JobPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/api-keys',
    validateSearch: texts('q'),
    component: lazyRouteComponent(retrying(() => import('@/pages/keys/KeysPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/service-accounts',
    validateSearch: texts('q'),
    component: lazyRouteComponent(retrying(() => import('@/pages/accounts/ServiceAccountsPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/service-accounts/$id',
    component: lazyRouteComponent(retrying(() => import('@/pages/accounts/ServiceAccountPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/registries',
    validateSearch: texts('q', 'add'),
    component: lazyRouteComponent(retrying(() => import('@/pages/registries/RegistriesPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/backups',
    validateSearch: texts('status'),
    component: lazyRouteComponent(retrying(() => import('@/pages/backups/BackupsPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/backup-destinations',
    validateSearch: texts('q', 'add'),
    component: lazyRouteComponent(retrying(() => import('@/pages/destinations/DestinationsPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/members',
    validateSearch: texts('q', 'tab', 'status'),
    component: lazyRouteComponent(retrying(() => import('@/pages/members/MembersPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/members/$id',
    validateSearch: texts('tab', 'q'),
    component: lazyRouteComponent(retrying(() => import('@/pages/members/MemberPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/roles',
    validateSearch: texts('q'),
    component: lazyRouteComponent(retrying(() => import('@/pages/roles/RolesPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/roles/new',
    validateSearch: texts('from'),
    component: lazyRouteComponent(retrying(() => import('@/pages/roles/NewRolePage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/roles/$id',
    component: lazyRouteComponent(retrying(() => import('@/pages/roles/RolePage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/organization',
    component: lazyRouteComponent(retrying(() => import('@/pages/organization/OrganizationPage'))),
  }),
  createRoute({
    getParentRoute: () => app,
    path: '/account',
    validateSearch: texts('tab', 'oauth_error', 'connected'),
    component: lazyRouteComponent(retrying(() => import('@/pages/account/AccountPage'))),
  }),
  ...signals,
  admin.addChildren(adminPages),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([login, bootstrap, ...waysIn, invite, app.addChildren(pages)]),
  defaultPreload: 'intent',
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
