import { ActionIcon, Anchor, Badge, Button, Group, Menu, Stack, Table, Tabs, Text } from '@mantine/core';
import { IconCertificate, IconDots, IconRefresh, IconShieldLock, IconStar, IconTrash, IconWorldCheck } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { notifications } from '@mantine/notifications';
import { api, unwrap } from '@/api/client';
import { asApiError } from '@/api/errors';
import type { Domain, DomainReach, Snippets } from '@/api/types';
import { CommandBox, CopyButton } from '@/components/Copy';
import { FormError } from '@/components/FormError';
import { ListTable } from '@/components/ListTable';
import { StatusBadge, toneStyle } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { formatDateTime } from '@/lib/format';
import { useNow } from '@/lib/now';
import { useStale } from '../useStale';
import { accessText, daysLeft, expiryText, expiryTone, shownState, SOURCES } from './domains';
import classes from './domains.module.css';

export interface DomainRowProps {
  domain: Domain;
  /** Nothing can be changed. */
  fixed: boolean;
  onAccess: () => void;
  onCertificate: () => void;
  onDelete: () => void;
}

/** Verify, make primary and renew: each is one request, and what comes of it is seen in the row. */
function useDomain({ id, instance_id, version, host }: Domain) {
  const path = { id: instance_id, domain_id: id };
  const common = {
    meta: { showsError: true },
    onSettled: useStale(instance_id),
  };
  return {
    verify: useMutation({
      mutationFn: async (force: boolean): Promise<void> =>
        void (await unwrap(api.POST('/api/instances/{id}/domains/{domain_id}/verify', { params: { path, query: { force } } }))),
      ...common,
    }),
    primary: useMutation({
      mutationFn: () =>
        unwrap(api.PUT('/api/instances/{id}/domains/{domain_id}/primary', { params: { path }, headers: { 'If-Match': `"${version}"` } })),
      onSuccess: () => notifications.show({ message: `${host} is the primary domain` }),
      ...common,
    }),
    fetchAgain: useMutation({
      mutationFn: () =>
        unwrap(
          api.DELETE('/api/instances/{id}/domains/{domain_id}/certificate', { params: { path }, headers: { 'If-Match': `"${version}"` } }),
        ),
      onSuccess: () => notifications.show({ message: `A certificate for ${host} is being fetched` }),
      ...common,
    }),
    renew: useMutation({
      mutationFn: () => unwrap(api.POST('/api/instances/{id}/domains/{domain_id}/renew', { params: { path } })),
      onSuccess: () => notifications.show({ message: `A new certificate for ${host} is being fetched` }),
      ...common,
    }),
  };
}

export function DomainRow({ domain, fixed, onAccess, onCertificate, onDelete }: DomainRowProps) {
  const { verify, primary, renew, fetchAgain } = useDomain(domain);
  const { certificate, state, snippets } = domain;
  const isOurs = certificate.source !== 'external';
  const waits = state === 'pending_dns' || state === 'failed';
  const { reach } = domain;
  const elsewhere = state === 'pending_dns' && (asApiError(verify.error).code === 'dns_not_ready' || domain.dns.checked?.ok === false);
  return (
    <li className={classes.domain} data-domain={domain.host} data-state={state}>
      <div className={classes.what}>
        <Group gap={10}>
          <Anchor href={domain.url} target="_blank" rel="noreferrer" size="sm" fw={600}>
            {domain.name}
          </Anchor>
          <StatusBadge state={shownState(domain)} title={domain.reason ?? reach?.message} />
          {domain.is_primary && <Badge size="sm">Primary</Badge>}
          {domain.automatic && (
            <Badge size="sm" color="gray" title="It comes from the server’s zone">
              Automatic
            </Badge>
          )}
        </Group>
        {domain.name !== domain.host && (
          <Text size="xs" c="dimmed">
            {domain.host}
          </Text>
        )}
        {domain.reason && (
          <Text size="sm" c={state === 'failed' ? 'red' : undefined} mt={4} data-testid="reason">
            {domain.reason}
            {domain.retry_at && (
              <>
                {' '}
                It can be tried again <TimeAgo at={domain.retry_at} />.
              </>
            )}
          </Text>
        )}
        {reach && state === 'active' && <Reach reach={reach} />}
        <Certificate domain={domain} />
        {accessText(domain.access).length > 0 && (
          <Text size="xs" c="dimmed" mt={2}>
            {accessText(domain.access).join(' · ')}
          </Text>
        )}
      </div>
      {!fixed && (
        <Group gap="xs" align="flex-start" wrap="nowrap">
          {(waits || !isOurs) && (
            <Button
              size="xs"
              variant="default"
              leftSection={<IconWorldCheck size={15} />}
              loading={verify.isPending}
              onClick={() => verify.mutate(false)}
              data-testid="verify"
            >
              {waits ? 'Verify' : 'Check now'}
            </Button>
          )}
          <Menu position="bottom-end" width={230}>
            <Menu.Target>
              <ActionIcon color="gray" aria-label={`Actions for ${domain.host}`} data-testid="domain-actions">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconStar size={16} />}
                disabled={domain.is_primary || primary.isPending}
                onClick={() => primary.mutate()}
                data-testid="action-primary"
              >
                Make it the primary one
              </Menu.Item>
              <Menu.Item leftSection={<IconShieldLock size={16} />} onClick={onAccess} data-testid="action-access">
                Who may come in
              </Menu.Item>
              {isOurs && (
                <>
                  <Menu.Item
                    leftSection={<IconRefresh size={16} />}
                    disabled={certificate.source !== 'acme' || state === 'pending_dns' || renew.isPending}
                    onClick={() => renew.mutate()}
                    data-testid="action-renew"
                  >
                    Renew the certificate now
                  </Menu.Item>
                  {certificate.source === 'uploaded' && (
                    <Menu.Item
                      leftSection={<IconRefresh size={16} />}
                      disabled={fetchAgain.isPending}
                      onClick={() => fetchAgain.mutate()}
                      data-testid="action-fetch-again"
                    >
                      Have it fetched and renewed again
                    </Menu.Item>
                  )}
                  <Menu.Item leftSection={<IconCertificate size={16} />} onClick={onCertificate} data-testid="action-certificate">
                    Use a certificate of your own
                  </Menu.Item>
                </>
              )}
              <Menu.Divider />
              <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onDelete} data-testid="action-delete">
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      )}
      {(elsewhere || [verify, primary, renew, fetchAgain].some(({ isError }) => isError)) && (
        <Stack gap={6} className={classes.wide} align="flex-start">
          <FormError error={verify.error ?? primary.error ?? renew.error ?? fetchAgain.error} />
          {elsewhere && (
            <Button size="xs" variant="default" loading={verify.isPending} onClick={() => verify.mutate(true)} data-testid="verify-anyway">
              Go on all the same: a proxy of mine leads it here
            </Button>
          )}
        </Stack>
      )}
      {(state === 'pending_dns' || (state === 'failed' && domain.dns.checked?.ok === false)) && <Records domain={domain} />}
      {snippets && <SnippetTabs snippets={snippets} host={domain.host} />}
    </li>
  );
}

/** What the server has found when it went through a proxy of one's own. */
function Reach({ reach: { ok, message, checked_at } }: { reach: DomainReach }) {
  return (
    <Text size="sm" c={ok ? 'dimmed' : 'red'} mt={4} data-testid="reach">
      {ok ? 'Your proxy leads here: the sign-in page and the live bus answer.' : message} Checked <TimeAgo at={checked_at} />.
    </Text>
  );
}

function Certificate({ domain: { certificate } }: { domain: Domain }) {
  const now = useNow();
  const { not_after, issuer, source } = certificate;
  if (!not_after) return null;
  const days = daysLeft(not_after, now);
  return (
    <Text size="xs" c="dimmed" mt={4} title={`Until ${formatDateTime(not_after)}`} data-testid="certificate">
      Certificate by {issuer || 'an unnamed authority'},{' '}
      <span style={{ ...toneStyle(expiryTone(days)), color: days < 14 ? 'var(--tone)' : undefined }}>{expiryText(days)}</span>. {SOURCES[source]}.
    </Text>
  );
}

/** What is to be set where the name is kept. */
function Records({ domain: { dns, host } }: { domain: Domain }) {
  return (
    <div className={classes.wide} data-testid="records">
      {dns.records.length > 0 ? (
        <>
          <Text size="sm" mb={4}>
            Where the DNS of the name is kept, let it lead to these addresses (one is enough) and to no others, then verify:
          </Text>
          <ListTable label={`DNS records of ${host}`} columns={[{ label: 'Type' }, { label: 'Name' }, { label: 'Value' }]}>
            {dns.records.map(({ type, name, value }) => (
              <Table.Tr key={`${type} ${value}`}>
                <Table.Td>{type}</Table.Td>
                <Table.Td>
                  <Copied value={name} />
                </Table.Td>
                <Table.Td>
                  <Copied value={value} />
                </Table.Td>
              </Table.Tr>
            ))}
          </ListTable>
        </>
      ) : (
        <Text size="sm" c="dimmed">
          The server has not told an address yet that the name could lead to.
        </Text>
      )}
      {dns.checked && !dns.checked.ok && (
        <Text size="xs" c="dimmed" mt={6}>
          {dns.checked.message} Looked at <TimeAgo at={dns.checked.checked_at} />.
        </Text>
      )}
    </div>
  );
}

function Copied({ value }: { value: string }) {
  return (
    <Group gap={2} wrap="nowrap">
      <code style={{ overflowWrap: 'anywhere' }}>{value}</code>
      <CopyButton value={value} label={`Copy ${value}`} />
    </Group>
  );
}

/** What a proxy of one's own is told. */
function SnippetTabs({ snippets, host }: { snippets: Snippets; host: string }) {
  return (
    <Tabs defaultValue="nginx" className={classes.wide} data-testid="snippets">
      <Tabs.List mb="xs">
        <Tabs.Tab value="nginx">nginx</Tabs.Tab>
        <Tabs.Tab value="traefik">Traefik</Tabs.Tab>
      </Tabs.List>
      {(['nginx', 'traefik'] as const).map((kind) => (
        <Tabs.Panel key={kind} value={kind}>
          <div className={classes.snippet}>
            <CommandBox command={snippets[kind]} label={`${kind} for ${host}`} />
          </div>
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
