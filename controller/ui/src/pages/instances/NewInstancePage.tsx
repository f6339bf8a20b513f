import { Button, Collapse, Group, Select, SimpleGrid, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useRef, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { keys } from '@/api/queries';
import type { Project } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { Notice } from '@/components/Notice';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { countryChoices, languageChoices } from '@/lib/places';
import { slugOf } from '@/lib/slug';
import { useSession } from '@/shell/session';
import { AdminPassword } from './AdminPassword';
import { EnvironmentSelect } from './EnvironmentSelect';
import { bodyOf, FIELDS, firstValues, ODOO_VERSIONS, rules } from './newInstance';
import { ServerSelect } from './ServerSelect';
import { SizePicker } from './SizePicker';

export default function NewInstancePage() {
  const { server_id, environment_id } = useSearch({ from: '/app/instances/new' });
  const { user, can } = useSession();
  const navigate = useNavigate();
  const client = useQueryClient();
  const languages = useMemo(languageChoices, []);
  const countries = useMemo(countryChoices, []);
  const [advanced, { toggle, open }] = useDisclosure();
  const form = useForm({ initialValues: firstValues(user.email, server_id ?? null, environment_id ?? null), validate: rules });
  const create = useMutation({
    mutationFn: (values: typeof form.values) => unwrap(api.POST('/api/instances', { body: bodyOf(values) })),
    meta: { showsError: true },
    onError: (error) => {
      const messages = fieldMessages(asApiError(error), FIELDS);
      form.setErrors(messages);
      if (messages.image) open();
      window.scrollTo({ top: 0 });
    },
    onSuccess: (accepted) => {
      void client.invalidateQueries({ queryKey: keys.instances });
      void navigate({ to: '/instances/$id', params: { id: accepted.id } });
    },
  });
  const slug = slugOf(form.values.name);
  const [project, setProject] = useState<Project | null>(null);
  // A version that was chosen stays, whatever the project says.
  const versionChosen = useRef(false);

  return (
    <>
      <PageHeader title="New instance" parent={<Link to="/instances">Instances</Link>} />
      <form
        onSubmit={form.onSubmit((values) => create.mutate(values))}
        aria-label="New instance"
        data-testid="instance-form"
        noValidate
        style={{ maxWidth: 760 }}
      >
        <Stack gap="md">
          {create.error && (
            <Notice tone="bad" role="alert" testId="form-error">
              {asApiError(create.error).message}
            </Notice>
          )}
          <Panel title="Odoo">
            <Stack gap="sm">
              <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
                <TextInput
                  label="Name"
                  placeholder="Acme production"
                  description={slug ? `Known as ${slug} in addresses and containers` : 'What people call it'}
                  autoFocus
                  autoComplete="off"
                  data-testid="instance-name"
                  {...form.getInputProps('name')}
                />
                <Select
                  label="Odoo version"
                  description={project?.odoo_version === form.values.version ? `What ${project.name} runs` : 'The newest suits a new start'}
                  data={ODOO_VERSIONS}
                  allowDeselect={false}
                  data-testid="instance-version"
                  {...form.getInputProps('version')}
                  onChange={(version) => {
                    versionChosen.current = true;
                    form.setFieldValue('version', version ?? form.values.version);
                  }}
                />
              </SimpleGrid>
              {can('view:projects') && (
                <EnvironmentSelect
                  data-testid="instance-environment"
                  {...form.getInputProps('environment')}
                  value={form.values.environment}
                  onProject={(chosen) => {
                    setProject(chosen);
                    if (chosen.odoo_version && !versionChosen.current) form.setFieldValue('version', chosen.odoo_version);
                  }}
                />
              )}
              <ServerSelect
                label="Server"
                placeholder="Choose a server"
                data-testid="instance-server"
                {...form.getInputProps('server')}
                value={form.values.server}
              />
              <SizePicker {...form.getInputProps('limits')} value={form.values.limits} />
            </Stack>
          </Panel>
          <Panel title="First user and content">
            <Stack gap="sm">
              <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
                <TextInput
                  label="Administrator e-mail"
                  type="email"
                  autoComplete="off"
                  data-testid="instance-email"
                  {...form.getInputProps('email')}
                />
                <AdminPassword
                  data-testid="instance-password"
                  {...form.getInputProps('password')}
                  value={form.values.password}
                  onGenerate={(password) => form.setFieldValue('password', password)}
                />
                <Select
                  label="Language"
                  data={languages}
                  searchable
                  allowDeselect={false}
                  data-testid="instance-language"
                  {...form.getInputProps('language')}
                />
                <Select
                  label="Country"
                  placeholder="Not set"
                  data={countries}
                  searchable
                  clearable
                  data-testid="instance-country"
                  {...form.getInputProps('country')}
                />
              </SimpleGrid>
              <TagsInput
                label="Modules"
                description="Technical names to install at once, such as sale_management or stock. Enter adds one."
                splitChars={[',', ' ']}
                data-testid="instance-modules"
                {...form.getInputProps('modules')}
              />
              <Switch
                label="With demo data"
                description="Example customers, products and orders. For trying out, not for real work."
                data-testid="instance-demo"
                {...form.getInputProps('demo', { type: 'checkbox' })}
              />
            </Stack>
          </Panel>
          <div>
            <Button
              variant="subtle"
              size="compact-sm"
              color="gray"
              onClick={toggle}
              aria-expanded={advanced}
              leftSection={advanced ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
            >
              Advanced
            </Button>
            <Collapse expanded={advanced}>
              <Panel>
                <TextInput
                  label="Image"
                  description="Instead of the official one for the version. It must follow that one's contract."
                  placeholder={`odoo:${form.values.version.replace('.0', '')}`}
                  autoComplete="off"
                  spellCheck={false}
                  data-testid="instance-image"
                  {...form.getInputProps('image')}
                />
              </Panel>
            </Collapse>
          </div>
          <Group justify="space-between">
            <Text size="xs" c="dimmed" maw={420}>
              The password is not shown again. Until the instance has a domain it is reached on a port of its server.
            </Text>
            <Group gap="xs">
              <ButtonLink to="/instances" variant="default">
                Cancel
              </ButtonLink>
              <Button type="submit" loading={create.isPending} data-testid="create-instance">
                Create instance
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </>
  );
}
