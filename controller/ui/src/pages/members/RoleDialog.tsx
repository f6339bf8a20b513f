import { Modal, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { RoleSelect } from '@/access/RoleSelect';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/queries';
import type { Member } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';

/** The role in the whole organization. Roles in parts of it are kept. */
export function RoleDialog({ member, onClose }: { member: Member | null; onClose: () => void }) {
  return (
    <Modal opened={member !== null} onClose={onClose} title={`Role of ${member?.name ?? ''}`}>
      {member && <RoleForm key={member.id} member={member} onClose={onClose} />}
    </Modal>
  );
}

function RoleForm({ member, onClose }: { member: Member; onClose: () => void }) {
  const client = useQueryClient();
  const whole = member.grants.filter(({ scope }) => scope.type === 'organization');
  const [role, setRole] = useState<string | null>(whole[0]?.role_id ?? null);
  const change = useMutation({
    mutationFn: (role_id: string) =>
      unwrap(
        api.PUT('/api/members/{id}/role', {
          params: { path: { id: member.id } },
          headers: { 'If-Match': `"${member.version}"` },
          body: { role_id },
        }),
      ),
    meta: { showsError: true },
    onSuccess: (changed) => {
      client.setQueryData(keys.member(member.id), changed);
      void client.invalidateQueries({ queryKey: keys.members });
      void client.invalidateQueries({ queryKey: keys.member(member.id) });
      void client.invalidateQueries({ queryKey: keys.roles });
      notifications.show({ message: `${changed.name} is ${changed.role} now` });
      onClose();
    },
  });
  const others = member.grants.length - whole.length;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (role) change.mutate(role);
      }}
      aria-label="Role"
    >
      <Stack>
        <RoleSelect label="Role in the whole organization" value={role} onChange={setRole} />
        {whole.length > 1 && (
          <Text size="sm" c="dimmed">
            It takes the place of {whole.map((grant) => grant.role).join(' and ')}.
          </Text>
        )}
        {others > 0 && (
          <Text size="sm" c="dimmed">
            Roles in single projects, environments and servers stay as they are.
          </Text>
        )}
        <FormError error={change.error} />
        <FormButtons onCancel={onClose} disabled={!role || (whole.length === 1 && role === whole[0]?.role_id)} loading={change.isPending}>
          Change the role
        </FormButtons>
      </Stack>
    </form>
  );
}
