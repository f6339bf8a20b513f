import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { connectedAccountsQuery, signInWaysQuery } from '@/api/accountQueries';
import { api, unwrap } from '@/api/client';
import { keys, userQuery } from '@/api/queries';
import type { ConnectedAccount, SignInProvider } from '@/api/types';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { Panel } from '@/components/Panel';
import { ErrorState, LoadingRows } from '@/components/States';
import { TimeAgo } from '@/components/Time';
import { ProviderIcon } from '@/pages/auth/Providers';
import { Row, Rows } from './Row';

/** Accounts elsewhere that sign in here; nothing where the platform has no provider. */
export function Connected() {
  const ways = useQuery(signInWaysQuery);
  const accounts = useQuery(connectedAccountsQuery);
  const [leaving, setLeaving] = useState<ConnectedAccount | null>(null);
  const providers = ways.data?.providers ?? [];
  const connected = accounts.data ?? [];
  if (accounts.isSuccess && ways.isSuccess && providers.length === 0 && connected.length === 0) return null;
  const open = providers.filter(({ id }) => !connected.some(({ provider }) => provider === id));
  return (
    <Panel title="Connected accounts" flush>
      {accounts.isPending || ways.isPending ? (
        <LoadingRows rows={2} />
      ) : accounts.isError ? (
        <ErrorState error={accounts.error} onRetry={() => void accounts.refetch()} />
      ) : (
        <Rows label="Connected accounts">
          {connected.map((account) => (
            <Row
              key={account.id}
              testId="connected-row"
              icon={<ProviderIcon kind={providers.find(({ id }) => id === account.provider)?.kind} size={19} />}
              title={account.provider_name}
              detail={
                <>
                  {account.email ?? account.name ?? 'connected'} · used <TimeAgo at={account.last_used_at} />
                </>
              }
              actions={
                <Button size="compact-sm" variant="default" onClick={() => setLeaving(account)}>
                  Disconnect
                </Button>
              }
            />
          ))}
          {open.map((provider) => (
            <Row
              key={provider.id}
              icon={<ProviderIcon kind={provider.kind} size={19} />}
              title={provider.name}
              detail="Not connected"
              actions={<Connect provider={provider} />}
            />
          ))}
        </Rows>
      )}
      <Disconnect account={leaving} onClose={() => setLeaving(null)} />
    </Panel>
  );
}

function Connect({ provider }: { provider: SignInProvider }) {
  const client = useQueryClient();
  const go = useMutation({
    mutationFn: async () => {
      // A navigation cannot refresh an expired session on its way; this does.
      await client.fetchQuery({ ...userQuery, staleTime: 0 });
      const back = `/account?${new URLSearchParams({ tab: 'security', connected: provider.name }).toString()}`;
      const query = new URLSearchParams({ flow: 'link', return_to: back });
      window.location.assign(`/api/auth/oauth/${encodeURIComponent(provider.id)}?${query.toString()}`);
    },
  });
  return (
    <Button
      size="compact-sm"
      variant="default"
      loading={go.isPending || go.isSuccess}
      onClick={() => go.mutate()}
      data-testid={`connect-${provider.id}`}
    >
      Connect
    </Button>
  );
}

function Disconnect({ account, onClose }: { account: ConnectedAccount | null; onClose: () => void }) {
  return (
    <ConfirmRemoval
      subject={account}
      onClose={onClose}
      title={`Disconnect ${account?.provider_name ?? ''}`}
      action="Disconnect"
      remove={({ id }) => unwrap(api.DELETE('/api/user/connected-accounts/{id}', { params: { path: { id } } }))}
      done="The account is disconnected"
      stale={[keys.account]}
    >
      {account?.email ? <b>{account.email}</b> : 'That account'} signs in here no longer. Nothing changes at {account?.provider_name}.
    </ConfirmRemoval>
  );
}
