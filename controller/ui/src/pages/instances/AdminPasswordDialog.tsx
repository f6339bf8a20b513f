import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconCheck } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Instance } from '@/api/types';
import { CopyButton } from '@/components/Copy';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { JobLink } from '@/components/Links';
import { Notice } from '@/components/Notice';
import { ErrorState, LoadingRows } from '@/components/States';
import { StepList } from '@/components/StepList';
import { isFinished } from '@/lib/status';
import { Failure, useJob } from '@/pages/jobs/JobView';
import { adminPasswordProblem } from './actions';
import { AdminPassword } from './AdminPassword';

interface DialogProps {
  instance: Instance;
  onClose: () => void;
}

interface Asked {
  job: string;
  login: string;
  password: string;
}

/** A new password for a user of an instance's Odoo, and how setting it goes. */
export default function AdminPasswordDialog({ instance, onClose }: DialogProps) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<Asked | null>(null);
  const form = useForm({
    initialValues: { login: '', password: '' },
    validate: {
      login: (login) => ([...login.trim()].length > 128 ? 'At most 128 characters' : null),
      password: adminPasswordProblem,
    },
    onValuesChange: () => set.isError && set.reset(),
  });
  const set = useMutation({
    mutationFn: ({ login, password }: typeof form.values) =>
      unwrap(
        api.POST('/api/instances/{id}/admin-password', {
          params: { path: { id: instance.id } },
          body: { password, login: login.trim() || undefined },
        }),
      ),
    meta: { showsError: true },
    onError: (error) => form.setErrors(fieldMessages(asApiError(error), { login: 'login', password: 'password' })),
    onSuccess: ({ job_id }, { login, password }) => setAsked({ job: job_id, login: login.trim() || instance.admin_login, password }),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.instance(instance.id) });
      void client.invalidateQueries({ queryKey: keys.jobs });
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Password in ${instance.name}`} closeOnClickOutside={!asked}>
      {asked ? (
        <Progress asked={asked} onAgain={() => setAsked(null)} onClose={onClose} />
      ) : (
        <form onSubmit={form.onSubmit((values) => set.mutate(values))} aria-label="Password of Odoo’s administrator" data-testid="password-form" noValidate>
          <Stack gap="sm">
            <Text size="sm" c="dimmed">
              Set in Odoo at once, without a restart. Whoever is signed in as that user has to sign in anew.
            </Text>
            <TextInput
              label="User"
              description={`Empty for ${instance.admin_login}, whom Odoo was set up with, whatever they are called there now.`}
              placeholder={instance.admin_login}
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              data-testid="password-login"
              {...form.getInputProps('login')}
            />
            <AdminPassword
              label="New password"
              data-autofocus
              data-testid="password-new"
              {...form.getInputProps('password')}
              value={form.values.password}
              onGenerate={(password) => form.setFieldValue('password', password)}
            />
            <FormError error={set.error} shown={form.errors} />
            <FormButtons onCancel={onClose} loading={set.isPending} data-testid="set-password">
              Set the password
            </FormButtons>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function Progress({ asked, onAgain, onClose }: { asked: Asked; onAgain: () => void; onClose: () => void }) {
  const { data: job, error, refetch } = useJob(asked.job);
  if (error && !job) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!job) return <LoadingRows rows={3} />;
  const done = job.status === 'succeeded';
  return (
    <Stack gap="md" data-testid="password-job" data-status={job.status}>
      {done && (
        <Notice tone="good" icon={<IconCheck size={18} />} title="The password is set" role="status">
          <Group justify="space-between" wrap="nowrap" align="flex-end">
            <Text size="sm" style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
              {asked.login} signs in with it from now on. It is not shown again.
            </Text>
            <CopyButton value={asked.password} label="Copy the password" />
          </Group>
        </Notice>
      )}
      <Failure job={job} />
      <StepList steps={job.steps} />
      <Text size="xs" c="dimmed">
        <JobLink id={job.id}>The job and its log</JobLink>
        {!isFinished(job.status) && '. It goes on when this is closed.'}
      </Text>
      <Group justify="flex-end" gap="xs">
        {isFinished(job.status) && !done && (
          <Button variant="default" onClick={onAgain}>
            Try another one
          </Button>
        )}
        <Button onClick={onClose}>{isFinished(job.status) ? 'Done' : 'Close'}</Button>
      </Group>
    </Stack>
  );
}
