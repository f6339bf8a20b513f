import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { asApiError } from '@/api/errors';
import { serverQuery } from '@/api/queries';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { retrying } from '@/lib/retrying';
import { serverState, stateOf } from '@/lib/status';
import { useSession } from '@/shell/session';
import { ServerContainers } from './ServerContainers';
import { ServerEvents } from './ServerEvents';
import { ServerOverview } from './ServerOverview';
import { ServerSettings } from './ServerSettings';

const ServerProxyTab = lazy(retrying(() => import('./ServerProxyTab')));
const Terminal = lazy(retrying(() => import('@/terminal/Terminal')));

export default function ServerPage() {
  const { id } = useParams({ from: '/app/servers/$id' });
  const { tab } = useSearch({ from: '/app/servers/$id' });
  const navigate = useNavigate({ from: '/servers/$id' });
  const { can } = useSession();
  const { data: server, error, refetch } = useQuery(serverQuery(id));
  // What has been deleted is not shown any more, also where it still is in the cache.
  const gone = asApiError(error).status === 404;
  if (error && (gone || !server)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!server) return <LoadingRows rows={8} />;
  return (
    <>
      <PageHeader
        title={server.name}
        parent={<Link to="/servers">Servers</Link>}
        status={<StatusBadge state={stateOf(serverState, server.status)} title={server.status_reason} />}
        subtitle={server.description}
      />
      <PageTabs
        value={tab}
        onChange={(value) => void navigate({ search: { tab: value === 'overview' ? undefined : value }, replace: true })}
        tabs={[
          { value: 'overview', label: 'Overview', render: () => <ServerOverview server={server} /> },
          { value: 'containers', label: 'Containers', render: () => <ServerContainers serverId={id} /> },
          {
            value: 'terminal',
            label: 'Terminal',
            hidden: !can('terminal:servers'),
            render: () => (
              <Suspense fallback={<Skeleton height={420} />}>
                <Terminal path={`/api/servers/${id}/terminal`} label={`Terminal on ${server.name}`} />
              </Suspense>
            ),
          },
          {
            value: 'proxy',
            label: 'Proxy',
            render: () => (
              <Suspense fallback={<LoadingRows rows={6} />}>
                <ServerProxyTab key={id} serverId={id} />
              </Suspense>
            ),
          },
          { value: 'events', label: 'Events', render: () => <ServerEvents serverId={id} /> },
          {
            value: 'settings',
            label: 'Settings',
            hidden: !can('manage:servers'),
            render: () => <ServerSettings key={server.id} server={server} />,
          },
        ]}
      />
    </>
  );
}
