import { Button, Stack, Text } from '@mantine/core';
import { IconInfoCircle, IconPlus, IconWorld } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { domainsQuery, proxyQuery } from '@/api/domainQueries';
import { keys } from '@/api/queries';
import type { Domain, Instance, ServerProxy } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { ConfirmRemoval } from '@/components/ConfirmRemoval';
import { Notice } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { EmptyState, Loaded } from '@/components/States';
import { JobPanel } from '@/pages/jobs/JobView';
import { useSession } from '@/shell/session';
import { AccessDialog, AddDomainDialog, CertificateDialog } from './DomainDialogs';
import { DomainRow } from './DomainRow';
import { inOrder } from './domains';
import classes from './domains.module.css';

type Asking = { what: 'add' } | { what: 'access' | 'certificate'; id: string } | null;

/** Names by which people reach an instance. */
export default function InstanceDomains({ instance }: { instance: Instance }) {
  const { can } = useSession();
  const query = useQuery({
    ...domainsQuery(instance.id),
    // What has been asked for is on its way by jobs of the server.
    refetchInterval: ({ state }) => (state.data?.data.some((domain) => domain.state === 'issuing') ? 3_000 : 30_000),
  });
  const proxy = useQuery({ ...proxyQuery(instance.server_id), enabled: can('view:servers') });
  const [asking, setAsking] = useState<Asking>(null);
  const [removing, setRemoving] = useState<Domain | null>(null);
  const manages = can('manage:domains') && instance.status !== 'removing';
  const add = manages && (
    <Button size="xs" leftSection={<IconPlus size={15} />} onClick={() => setAsking({ what: 'add' })} data-new data-testid="add-domain">
      Add a domain
    </Button>
  );
  const close = () => setAsking(null);
  const jobs = new Set(query.data?.data.flatMap(({ active_job_id }) => active_job_id ?? []));
  const asked = asking && asking.what !== 'add' ? query.data?.data.find((domain) => domain.id === asking.id) : undefined;
  return (
    <Stack gap="md">
      {instance.active_job_id && <JobPanel key={instance.active_job_id} jobId={instance.active_job_id} title="In progress" />}
      {[...jobs].map((job) => (
        <JobPanel key={job} jobId={job} title="The server’s proxy at work" quiet />
      ))}
      {proxy.data && <ProxyHint proxy={proxy.data} />}
      <Loaded query={query}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState
              icon={<IconWorld size={22} />}
              title="No domain leads here"
              text="With a name of its own an instance is reached by HTTPS, with a certificate that is fetched and renewed by itself, as many workers as fit, and Odoo’s database manager closed."
              action={add}
            />
          ) : (
            <Panel title="Domains" flush aside={add}>
              <ul className={classes.domains} aria-label="Domains">
                {inOrder(data).map((domain) => (
                  <DomainRow
                    key={domain.id}
                    domain={domain}
                    fixed={!manages}
                    onAccess={() => setAsking({ what: 'access', id: domain.id })}
                    onCertificate={() => setAsking({ what: 'certificate', id: domain.id })}
                    onDelete={() => setRemoving(domain)}
                  />
                ))}
              </ul>
            </Panel>
          )
        }
      </Loaded>
      {asking?.what === 'add' && <AddDomainDialog instanceId={instance.id} onClose={close} />}
      {asking?.what === 'access' && asked && <AccessDialog key={asked.id} domain={asked} onClose={close} />}
      {asking?.what === 'certificate' && asked && <CertificateDialog key={asked.id} domain={asked} onClose={close} />}
      <ConfirmRemoval
        subject={removing}
        title={`Delete ${removing?.name ?? 'the domain'}`}
        action="Delete"
        remove={({ id, instance_id, version }) =>
          unwrap(
            api.DELETE('/api/instances/{id}/domains/{domain_id}', {
              params: { path: { id: instance_id, domain_id: id } },
              headers: { 'If-Match': `"${version}"` },
            }),
          )
        }
        done={`${removing?.name ?? 'The domain'} leads here no more`}
        stale={[keys.instance(instance.id), keys.jobs]}
        onClose={() => setRemoving(null)}
      >
        People who use it do not reach Odoo by it any more, and its certificate goes.
        {removing?.is_primary && ' Links that Odoo writes get another of its names, or its port.'}
        {removing?.automatic && ' It comes from the server’s zone, and comes back when that is set again.'}
      </ConfirmRemoval>
    </Stack>
  );
}

/** Who leads people here, where that needs a word. */
function ProxyHint({ proxy }: { proxy: ServerProxy }) {
  const { can } = useSession();
  const { mode, status, status_message, server_id } = proxy;
  const way = can('manage:servers') && (
    <ButtonLink size="xs" variant="default" mt="xs" to="/servers/$id" params={{ id: server_id }} search={{ tab: 'proxy' }} data-testid="to-proxy">
      Set up the server’s proxy
    </ButtonLink>
  );
  if (mode === 'none') {
    return (
      <Notice tone="idle" icon={<IconInfoCircle size={18} />} title="The server has no proxy" testId="no-proxy">
        Names can be added, but nobody leads them here until the server’s proxy is set up. <div>{way}</div>
      </Notice>
    );
  }
  if (status === 'failed') {
    return (
      <Notice tone="bad" icon={<IconInfoCircle size={18} />} title="The server’s proxy could not be set up" testId="proxy-failed">
        <Text size="sm">{status_message}</Text>
        {way}
      </Notice>
    );
  }
  if (mode === 'external') {
    return (
      <Notice tone="idle" icon={<IconInfoCircle size={18} />} title="A proxy of your own leads here" testId="own-proxy">
        Give it what is shown with each domain, again after each change. It has the certificates.
      </Notice>
    );
  }
  return null;
}
