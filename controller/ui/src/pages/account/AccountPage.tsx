import { Badge } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { PageHeader } from '@/components/PageHeader';
import { PageTabs } from '@/components/PageTabs';
import { LoginHistory } from './LoginHistory';
import { Notifications } from './Notifications';
import { Profile } from './Profile';
import { Security } from './Security';
import { Sessions } from './Sessions';
import { SshKeys } from './SshKeys';
import { useUser } from './useUser';

/** One's own account, the same in every organization. */
export default function AccountPage() {
  const { tab } = useSearch({ from: '/app/account' });
  const navigate = useNavigate({ from: '/account' });
  const user = useUser();
  return (
    <>
      <PageHeader
        title="Account"
        subtitle={`${user.name} · ${user.email}`}
        status={user.is_admin && <Badge color="orange">platform administrator</Badge>}
      />
      <PageTabs
        value={tab}
        onChange={(value) => void navigate({ search: { tab: value === 'profile' ? undefined : value }, replace: true })}
        tabs={[
          { value: 'profile', label: 'Profile', render: () => <Profile /> },
          { value: 'security', label: 'Security', render: () => <Security /> },
          { value: 'sessions', label: 'Sessions', render: () => <Sessions /> },
          { value: 'history', label: 'Sign-in history', render: () => <LoginHistory /> },
          { value: 'ssh', label: 'SSH keys', render: () => <SshKeys /> },
          { value: 'notifications', label: 'Notifications', render: () => <Notifications /> },
        ]}
      />
    </>
  );
}
