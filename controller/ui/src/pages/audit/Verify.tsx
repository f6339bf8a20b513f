// Whether the audit log is whole, in words.
import { Button, Group, List, Modal, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconShieldCheck } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api, unwrap } from '@/api/client';
import type { Verification } from '@/api/types';
import { CommandBox } from '@/components/Copy';
import { Notice } from '@/components/Notice';
import { ErrorState, LoadingRows } from '@/components/States';
import { formatCount, formatDateTime, plural } from '@/lib/format';
import { defectText, provenBy } from './filter';

export function VerifyDialog({ opened, onClose, ofPlatform }: { opened: boolean; onClose: () => void; ofPlatform: boolean }) {
  const verify = useMutation({
    mutationFn: async (): Promise<Verification[]> =>
      ofPlatform
        ? (await unwrap(api.GET('/api/admin/audit-logs/verify'))).chains
        : [await unwrap(api.GET('/api/audit-logs/verify'))],
    meta: { showsError: true },
  });
  const { mutate, reset } = verify;
  useEffect(() => {
    if (opened) mutate();
    else reset();
  }, [opened, mutate, reset]);
  return (
    <Modal opened={opened} onClose={onClose} size="lg" title="Is the audit log whole?">
      <Stack>
        {verify.isPending && (
          <>
            <Text size="sm" c="dimmed" role="status">
              Every entry is read and its hash computed anew. A long log takes a while.
            </Text>
            <LoadingRows rows={3} />
          </>
        )}
        {verify.error && <ErrorState error={verify.error} onRetry={() => mutate()} />}
        {verify.data && (ofPlatform ? <Chains chains={verify.data} /> : verify.data[0] && <Chain found={verify.data[0]} />)}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" loading={verify.isPending} onClick={() => mutate()}>
            Verify again
          </Button>
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Chains({ chains }: { chains: Verification[] }) {
  const broken = chains.filter((chain) => !chain.valid);
  const entries = chains.reduce((sum, chain) => sum + chain.entries, 0);
  if (broken.length === 0) {
    return (
      <Notice tone="good" icon={<IconShieldCheck size={18} />} title="All logs are whole" testId="verified">
        {plural(chains.length, 'chain')} with {plural(entries, 'entry', 'entries')}: the platform&rsquo;s own and those of every
        organization, also of those that are gone. No entry was changed, removed, added or moved.
      </Notice>
    );
  }
  return broken.map((chain) => (
    <Stack key={chain.organization_id ?? 'platform'} gap={4}>
      <Text size="sm" fw={600}>
        {chain.organization_id ? `Organization ${chain.organization_id}` : 'The platform itself'}
      </Text>
      <Chain found={chain} />
    </Stack>
  ));
}

function Chain({ found }: { found: Verification }) {
  if (found.problem) {
    const { kind, seq, entry_id, message } = found.problem;
    return (
      <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title={`Not whole: entry ${formatCount(seq)} is the first bad one`} role="alert" testId="not-whole">
        <Stack gap={6}>
          <span>{defectText(kind)}</span>
          <span>{message}</span>
          {found.entries > 0 && <span>{plural(found.entries, 'entry', 'entries')} before it were found right.</span>}
          {entry_id && (
            <Text size="xs" c="dimmed">
              Entry {entry_id}
            </Text>
          )}
          <Text size="xs">
            Keep a copy of the database and of <code>audit/heads.jsonl</code> in the controller&rsquo;s data directory before
            anything else, and find out who could write to them.
          </Text>
        </Stack>
      </Notice>
    );
  }
  return (
    <Stack gap="sm">
      <Notice tone="good" icon={<IconShieldCheck size={18} />} title="The log is whole" testId="verified">
        <List size="sm" spacing={2}>
          {provenBy(found).map((sentence) => (
            <List.Item key={sentence}>{sentence}</List.Item>
          ))}
        </List>
      </Notice>
      {found.hash && (
        <details>
          <summary style={{ cursor: 'pointer', fontSize: 'var(--mantine-font-size-sm)' }}>For checking by other means</summary>
          <Stack gap={6} mt="xs">
            <Text size="xs" c="dimmed">
              The end at entry {formatCount(found.last_seq)}, sealed {formatDateTime(found.sealed_at)}: its hash, our signature
              of it and the public key (Ed25519).
            </Text>
            <CommandBox command={found.hash} label="hash" />
            <CommandBox command={found.signature ?? ''} label="signature" />
            <CommandBox command={found.public_key} label="public key" />
          </Stack>
        </details>
      )}
    </Stack>
  );
}
