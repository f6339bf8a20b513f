import { Badge, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { Registry, RegistryCheck } from '@/api/types';
import { Notice } from '@/components/Notice';
import { ErrorState, LoadingRows } from '@/components/States';
import { registryState } from './registries';

/** Signs in with what is stored, and shows what comes of it. */
export function TestDialog({ registry, onClose }: { registry: Registry | null; onClose: () => void }) {
  return (
    <Modal opened={registry !== null} onClose={onClose} title={`Test ${registry?.address ?? ''}`}>
      {registry && <Test key={registry.id} registry={registry} onClose={onClose} />}
    </Modal>
  );
}

function Test({ registry, onClose }: { registry: Registry; onClose: () => void }) {
  const client = useQueryClient();
  const test = useMutation({
    mutationFn: () => unwrap(api.POST('/api/registries/{id}/test', { params: { path: { id: registry.id } } })),
    meta: { showsError: true },
    onSettled: () => void client.invalidateQueries({ queryKey: keys.registries }),
  });
  const { mutate } = test;
  useEffect(() => mutate(), [mutate]);
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        The controller signs in {registry.username ? `as ${registry.username}` : 'as nobody'} and asks what it holds.
      </Text>
      <div aria-live="polite">
        {test.isPending && <LoadingRows rows={3} />}
        {test.error && <ErrorState error={test.error} />}
        {test.data && !test.isPending && <Result check={test.data} />}
      </div>
      <Group justify="flex-end" gap="xs">
        <Button variant="default" loading={test.isPending} onClick={() => mutate()}>
          Test again
        </Button>
        <Button onClick={onClose}>Done</Button>
      </Group>
    </Stack>
  );
}

function Result({ check }: { check: RegistryCheck }) {
  const { tone, label } = registryState[check.status];
  const works = check.status === 'ok';
  return (
    <Stack gap="sm" data-testid="registry-check" data-status={check.status}>
      <Notice tone={tone} title={works ? 'It answers and lets in' : label} icon={works ? <IconCheck size={18} /> : <IconAlertTriangle size={18} />}>
        {check.message}
      </Notice>
      {works && (
        <div>
          <Text size="sm" fw={600} mb={6}>
            What it holds
          </Text>
          {check.repositories.length > 0 ? (
            <Group gap={6}>
              {check.repositories.map((name) => (
                <Badge key={name} color="gray" tt="none">
                  {name}
                </Badge>
              ))}
            </Group>
          ) : (
            <Text size="sm" c="dimmed">
              It lists nothing, as many registries do. Images can be fetched by their names all the same.
            </Text>
          )}
        </div>
      )}
    </Stack>
  );
}
