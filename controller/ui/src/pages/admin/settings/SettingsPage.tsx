import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { logSettingsQuery, platformSettingsQuery } from '@/api/adminQueries';
import type { SettingsView } from '@/api/types';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { ErrorState, LoadingRows } from '@/components/States';
import type { ReactNode } from 'react';
import { Logs } from './Logs';
import { MailServer } from './MailServer';
import { Networks } from './Networks';
import { Providers } from './Providers';
import { SignUp } from './SignUp';

export default function SettingsPage() {
  const { tab } = useSearch({ from: '/app/admin/settings' });
  const navigate = useNavigate({ from: '/admin/settings' });
  return (
    <>
      <PageHeader title="Settings of the platform" subtitle="They hold for all organizations, at once and without a restart." />
      <PageTabs
        value={tab}
        onChange={(value) => void navigate({ search: { tab: value === 'accounts' ? undefined : value }, replace: true })}
        tabs={[
          {
            value: 'accounts',
            label: 'Sign-up and providers',
            render: () => (
              <WithSettings>
                {(settings) => (
                  <>
                    <SignUp settings={settings} />
                    <Providers settings={settings} />
                  </>
                )}
              </WithSettings>
            ),
          },
          { value: 'mail', label: 'Mail', render: () => <WithSettings>{(settings) => <MailServer settings={settings} />}</WithSettings> },
          { value: 'networks', label: 'Networks', render: () => <WithSettings>{(settings) => <Networks settings={settings} />}</WithSettings> },
          { value: 'logs', label: 'Logs', render: () => <LogsTab /> },
        ]}
      />
    </>
  );
}

function WithSettings({ children }: { children: (settings: SettingsView) => ReactNode }) {
  const { data: settings, error, refetch } = useQuery(platformSettingsQuery);
  if (settings) {
    return (
      <Stack gap="md" maw={760}>
        {children(settings)}
      </Stack>
    );
  }
  return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <LoadingRows rows={5} />;
}

function LogsTab() {
  const { data: settings, error, refetch } = useQuery(logSettingsQuery);
  if (settings) {
    return (
      <Stack gap="md" maw={760}>
        <Logs settings={settings} />
      </Stack>
    );
  }
  return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <LoadingRows rows={5} />;
}
