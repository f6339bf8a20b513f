import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { organizationQuery, organizationSettingsQuery } from '@/api/identityQueries';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { useSession } from '@/shell/session';
import { Delete } from './Delete';
import { General } from './General';
import { Leave } from './Leave';
import { Policy } from './Policy';
import { Transfer } from './Transfer';

export default function OrganizationPage() {
  const { organization: current } = useSession();
  const organization = useQuery(organizationQuery);
  const settings = useQuery(organizationSettingsQuery);
  const isOwner = current.role === 'owner';
  return (
    <>
      <PageHeader title="Settings" subtitle={`Of the organization ${current.name}.`} />
      <Stack gap="md" maw={760}>
        {organization.isPending ? (
          <Panel title="General">
            <LoadingRows rows={4} />
          </Panel>
        ) : organization.isError ? (
          <ErrorState error={organization.error} onRetry={() => void organization.refetch()} />
        ) : (
          <General organization={organization.data} />
        )}
        {settings.isPending ? (
          <Panel title="Rules for everybody">
            <LoadingRows rows={3} />
          </Panel>
        ) : settings.isError ? (
          <ErrorState error={settings.error} onRetry={() => void settings.refetch()} />
        ) : (
          <Policy settings={settings.data} />
        )}
        {isOwner ? <Transfer /> : <Leave />}
        {isOwner && organization.data && <Delete organization={organization.data} />}
      </Stack>
    </>
  );
}
