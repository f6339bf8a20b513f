import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Group } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { asApiError } from '@/api/errors';
import { instanceQuery } from '@/api/queries';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { ErrorState, LoadingRows } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { retrying } from '@/lib/retrying';
import { healthState, instanceState, stateOf } from '@/lib/status';
import { InstanceLogTab } from '@/logs/InstanceLogTab';
import { useSession } from '@/shell/session';
import { InstanceConfiguration } from './config/InstanceConfiguration';
import { InstanceActions } from './InstanceActions';
import { InstanceJobs } from './InstanceJobs';
import { InstanceOverview } from './InstanceOverview';
import { InstanceSettings } from './InstanceSettings';
import { InstanceShell } from './InstanceShell';

const InstanceAddons = lazy(retrying(() => import('./addons/InstanceAddons')));
const InstanceBackups = lazy(retrying(() => import('./backups/InstanceBackups')));
const InstanceDatabase = lazy(retrying(() => import('./database/InstanceDatabase')));
const InstanceDomains = lazy(retrying(() => import('./domains/InstanceDomains')));
const InstanceFiles = lazy(retrying(() => import('./files/InstanceFiles')));
const InstanceHealth = lazy(retrying(() => import('./health/InstanceHealth')));
const InstanceMetrics = lazy(retrying(() => import('./InstanceMetrics')));
const InstanceModules = lazy(retrying(() => import('./modules/InstanceModules')));

export default function InstancePage() {
  const { id } = useParams({ from: '/app/instances/$id' });
  const { tab } = useSearch({ from: '/app/instances/$id' });
  const navigate = useNavigate({ from: '/instances/$id' });
  const { can } = useSession();
  const { data: instance, error, refetch } = useQuery(instanceQuery(id));
  // What has been deleted is not shown any more, also where it still is in the cache.
  const gone = asApiError(error).status === 404;
  if (error && (gone || !instance)) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!instance) return <LoadingRows rows={8} />;
  return (
    <>
      <PageHeader
        title={instance.name}
        parent={<Link to="/instances">Instances</Link>}
        status={
          <Group gap="md">
            <StatusBadge state={stateOf(instanceState, instance.status)} title={instance.status_reason} />
            {instance.status === 'running' && <StatusBadge state={stateOf(healthState, instance.health)} />}
          </Group>
        }
        actions={<InstanceActions instance={instance} />}
      />
      <PageTabs
        value={tab}
        onChange={(value) => void navigate({ search: { tab: value === 'overview' ? undefined : value }, replace: true })}
        tabs={[
          { value: 'overview', label: 'Overview', render: () => <InstanceOverview instance={instance} /> },
          { value: 'logs', label: 'Logs', render: () => <InstanceLogTab key={id} instanceId={id} /> },
          {
            value: 'shell',
            label: 'Shell',
            hidden: !can('console:instances'),
            render: () => <InstanceShell instance={instance} />,
          },
          { value: 'configuration', label: 'Configuration', render: () => <InstanceConfiguration key={id} instance={instance} /> },
          {
            value: 'modules',
            label: 'Modules',
            render: () => (
              <Suspense fallback={<LoadingRows rows={8} />}>
                <InstanceModules key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'addons',
            label: 'Addons',
            render: () => (
              <Suspense fallback={<LoadingRows rows={6} />}>
                <InstanceAddons key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'files',
            label: 'Files',
            hidden: !can('files:instances'),
            render: () => (
              <Suspense fallback={<LoadingRows rows={8} />}>
                <InstanceFiles key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'database',
            label: 'Database',
            hidden: !can('view:databases'),
            render: () => (
              <Suspense fallback={<LoadingRows rows={8} />}>
                <InstanceDatabase key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'backups',
            label: 'Backups',
            hidden: !can('view:backups'),
            render: () => (
              <Suspense fallback={<LoadingRows rows={5} />}>
                <InstanceBackups key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'domains',
            label: 'Domains',
            hidden: !can('view:domains'),
            render: () => (
              <Suspense fallback={<LoadingRows rows={5} />}>
                <InstanceDomains key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'health',
            label: 'Health',
            render: () => (
              <Suspense fallback={<LoadingRows rows={6} />}>
                <InstanceHealth key={id} instance={instance} />
              </Suspense>
            ),
          },
          {
            value: 'metrics',
            label: 'Metrics',
            render: () => (
              <Suspense fallback={<LoadingRows rows={8} />}>
                <InstanceMetrics key={id} instance={instance} />
              </Suspense>
            ),
          },
          { value: 'jobs', label: 'Jobs', render: () => <InstanceJobs instanceId={id} /> },
          {
            value: 'settings',
            label: 'Settings',
            hidden: !can('manage:instances'),
            render: () => <InstanceSettings key={instance.id} instance={instance} />,
          },
        ]}
      />
    </>
  );
}
