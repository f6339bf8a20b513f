import { Anchor, Group, NumberInput, Radio, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { proxyQuery } from '@/api/domainQueries';
import { jobsQuery, keys } from '@/api/queries';
import type { ProxyMode, ServerProxy } from '@/api/types';
import { Confirm } from '@/components/Confirm';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { Notice } from '@/components/Notice';
import { FactList, Panel } from '@/components/Panel';
import { Loaded } from '@/components/States';
import { StatusBadge } from '@/components/StatusBadge';
import { TimeAgo } from '@/components/Time';
import { stateOf } from '@/lib/status';
import { JobPanel } from '@/pages/jobs/JobView';
import { useShown } from '@/pages/settingsForm';
import { useSession } from '@/shell/session';
import { MODES, modeWarning, PROXY_FIELDS, proxyBody, proxyRules, proxyState, proxyValues, type ProxyValues } from './proxy';

/** Who leads people to the instances of a server. */
export default function ServerProxyTab({ serverId }: { serverId: string }) {
  const query = useQuery({
    ...proxyQuery(serverId),
    refetchInterval: ({ state }) => (state.data?.status === 'pending' ? 3_000 : 30_000),
  });
  return <Loaded query={query}>{(proxy) => <Proxy proxy={proxy} />}</Loaded>;
}

function Proxy({ proxy }: { proxy: ServerProxy }) {
  const { can } = useSession();
  const { server_id, status, status_message, mode } = proxy;
  const jobs = useQuery(jobsQuery({ server_id, kind: 'proxy_apply', limit: 1 }));
  const job = jobs.data?.data[0];
  return (
    <Stack gap="md" maw={860}>
      {status === 'failed' && (
        <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="The proxy could not be set up" testId="proxy-failed">
          {status_message} Saving again tries it once more.
        </Notice>
      )}
      {status === 'pending' && job && <JobPanel key={job.id} jobId={job.id} title="In progress" />}
      <Panel title="Proxy" aside={<StatusBadge state={stateOf(proxyState, status)} title={status_message} />}>
        <FactList
          facts={[
            ['Who', MODES[mode].label],
            ['In force', proxy.applied_at ? <TimeAgo key="at" at={proxy.applied_at} /> : 'not yet'],
            ...(proxy.console_host
              ? ([
                  [
                    'This console',
                    <Anchor key="console" href={`https://${proxy.console_host}`} target="_blank" rel="noreferrer" size="sm">
                      {proxy.console_host}
                    </Anchor>,
                  ],
                ] as [string, React.ReactNode][])
              : []),
          ]}
        />
      </Panel>
      {can('manage:servers') && <Settings proxy={proxy} />}
    </Stack>
  );
}

function Settings({ proxy }: { proxy: ServerProxy }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<string | null>(null);
  const form = useForm<ProxyValues>({
    initialValues: proxyValues(proxy),
    validate: proxyRules,
    onValuesChange: () => save.isError && save.reset(),
  });
  const { version, show } = useShown(form, proxy, proxyValues);
  const save = useMutation({
    mutationFn: (values: ProxyValues) =>
      unwrap(
        api.PUT('/api/servers/{id}/proxy', {
          params: { path: { id: proxy.server_id } },
          headers: { 'If-Match': `"${version}"` },
          body: proxyBody(values, form.isDirty),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, PROXY_FIELDS));
      if (problem.status === 412) void client.fetchQuery({ ...proxyQuery(proxy.server_id), staleTime: 0 }).then(show);
    },
    onSuccess: () => {
      form.resetDirty();
      setAsked(null);
      notifications.show({ message: 'Saved. The server is brought there.' });
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.server(proxy.server_id) });
      void client.invalidateQueries({ queryKey: keys.jobs });
    },
  });
  const { mode } = form.values;
  const submit = (values: ProxyValues) => {
    const warning = modeWarning(proxy.mode, values.mode);
    if (warning) setAsked(warning);
    else save.mutate(values);
  };
  return (
    <Panel title="Settings">
      <form onSubmit={form.onSubmit(submit)} aria-label="Proxy" data-testid="proxy-form" noValidate>
        <Stack gap="md">
          <Radio.Group label="Who leads people to the instances" {...form.getInputProps('mode')}>
            <Stack gap="xs" mt={6}>
              {(Object.keys(MODES) as ProxyMode[]).map((value) => (
                <Radio key={value} value={value} label={MODES[value].label} description={MODES[value].about} data-testid={`mode-${value}`} />
              ))}
            </Stack>
          </Radio.Group>
          {mode !== 'none' && (
            <TextInput
              label="Zone"
              description="Each instance of this server is also SLUG.ZONE. Point *.ZONE to the server once. Empty: none."
              placeholder="apps.example.com"
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              data-testid="proxy-zone"
              {...form.getInputProps('zone')}
            />
          )}
          {mode === 'managed' && <ManagedFields form={form} />}
          {mode === 'external' && (
            <NumberInput
              label="Port for HTTPS"
              description="Where your proxy answers: the server looks there whether each name leads to its instance."
              allowDecimal={false}
              maw={420}
              data-testid="proxy-https-port"
              {...form.getInputProps('https_port')}
            />
          )}
          <FormError error={asked ? null : save.error} shown={form.errors} />
          <Group justify="space-between">
            <Text size="xs" c="dimmed">
              {form.isDirty() ? 'Not saved yet.' : proxy.status === 'failed' ? 'The same can be tried again.' : ''}
            </Text>
            <FormButtons loading={save.isPending} disabled={!form.isDirty() && proxy.status !== 'failed'} data-testid="save-proxy">
              {form.isDirty() || proxy.status !== 'failed' ? 'Save' : 'Try again'}
            </FormButtons>
          </Group>
        </Stack>
      </form>
      <Confirm
        opened={asked !== null}
        title="Another proxy"
        action="Change it"
        run={save}
        onClose={() => setAsked(null)}
        onConfirm={() => save.mutate(form.values)}
      >
        {asked}
      </Confirm>
    </Panel>
  );
}

function ManagedFields({ form }: { form: Pick<UseFormReturnType<ProxyValues>, 'getInputProps' | 'values'> }) {
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <NumberInput label="Port for HTTP" description="Authorities look for their proof on port 80." allowDecimal={false} {...form.getInputProps('http_port')} />
        <NumberInput label="Port for HTTPS" description="443 is what people type." allowDecimal={false} {...form.getInputProps('https_port')} />
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput
          label="E-mail for the authority"
          description="It writes there when something is wrong."
          placeholder="ops@example.com"
          inputMode="email"
          data-testid="proxy-email"
          {...form.getInputProps('acme_email')}
        />
        <TextInput label="Image" description="Of Caddy 2." autoComplete="off" spellCheck={false} {...form.getInputProps('image')} />
      </SimpleGrid>
      <TextInput
        label="Another authority"
        description="Its ACME directory. Empty: Let’s Encrypt. While you try things out, use a staging directory."
        placeholder="https://acme-staging-v02.api.letsencrypt.org/directory"
        inputMode="url"
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps('acme_directory')}
      />
      {form.values.acme_directory.trim() !== '' && (
        <Textarea
          label="Its CA certificate"
          description="PEM, where nobody else knows it."
          autosize
          minRows={3}
          maxRows={8}
          spellCheck={false}
          {...form.getInputProps('acme_ca_certificate')}
        />
      )}
    </>
  );
}
