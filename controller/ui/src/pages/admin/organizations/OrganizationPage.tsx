import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { adminOrganizationQuery } from '@/api/adminQueries';
import { asApiError } from '@/api/errors';
import { AdminUserLink } from '@/components/Links';
import { PageHeader } from '@/components/PageHeader';
import { FactList, Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { formatCount, formatDateTime, plural } from '@/lib/format';
import { Figure, Figures } from '../Figure';

export default function OrganizationPage() {
  const { id } = useParams({ from: '/app/admin/organizations/$id' });
  const { data: organization, error, refetch } = useQuery(adminOrganizationQuery(id));
  if (error && (!organization || asApiError(error).status === 404)) {
    return <ErrorState error={error} onRetry={() => void refetch()} />;
  }
  if (!organization) return <LoadingRows rows={8} />;
  const { usage } = organization;
  const search = { organization_id: organization.id };
  return (
    <>
      <PageHeader
        title={organization.name}
        parent={<Link to="/admin/organizations">Organizations</Link>}
        subtitle={organization.slug}
      />
      <Stack gap="md">
        <Figures>
          <Figure label="Servers" value={formatCount(usage.servers)} details={`${formatCount(usage.servers_online)} online`} />
          <Figure label="Instances" value={formatCount(usage.instances)} details={`${formatCount(usage.instances_running)} running`} />
          <Figure label="Members" value={formatCount(usage.members)} details={plural(usage.invitations, 'open invitation')} />
          <Figure
            label="Jobs within a day"
            value={formatCount(usage.jobs_24h)}
            details={`${formatCount(usage.jobs_failed_24h)} failed`}
            to="/admin/jobs"
            search={search}
          />
          <Figure
            label="Audit entries"
            value={formatCount(usage.audit_entries)}
            details={`kept for ${plural(usage.audit_retention_days, 'day')}`}
            to="/admin/audit"
            search={search}
          />
          <Figure label="API keys" value={formatCount(usage.api_keys)} details={plural(usage.service_accounts, 'service account')} />
        </Figures>
        <Panel title="About">
          <FactList
            facts={[
              [
                'Owner',
                organization.owner_id ? (
                  <>
                    <AdminUserLink id={organization.owner_id}>{organization.owner_name}</AdminUserLink> {organization.owner_email}
                  </>
                ) : (
                  '–'
                ),
              ],
              ['Projects', `${formatCount(usage.projects)} with ${plural(usage.environments, 'environment')}`],
              ['Second factor', usage.require_second_factor ? 'required of every member' : 'not required'],
              ['Made', formatDateTime(organization.created_at)],
              ['Changed', formatDateTime(organization.updated_at)],
              ['Id', <Text key="id" size="sm" ff="monospace" fz={12.5}>{organization.id}</Text>],
            ]}
          />
        </Panel>
      </Stack>
    </>
  );
}
