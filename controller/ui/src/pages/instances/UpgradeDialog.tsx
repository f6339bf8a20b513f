import { Modal, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { asApiError, fieldMessages } from '@/api/errors';
import { instanceQuery, keys } from '@/api/queries';
import type { Instance } from '@/api/types';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { imageProblem, upgradeInput } from './actions';
import { FIRST_WAY, UpdateChoice, type Way } from './addons/UpdateChoice';

/** Another image of the same series, or what the present one's tag stands for now. */
export default function UpgradeDialog({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { image: instance.image, way: FIRST_WAY },
    validate: { image: imageProblem },
    onValuesChange: () => upgrade.isError && upgrade.reset(),
  });
  const upgrade = useMutation({
    mutationFn: ({ image, way }: { image: string; way: Way }) =>
      unwrap(
        api.POST('/api/instances/{id}/upgrade', {
          params: { path: { id: instance.id } },
          headers: { 'If-Match': `"${instance.version}"` },
          body: upgradeInput(image, instance.image, way),
        }),
      ),
    meta: { showsError: true },
    onError: (error) => {
      const problem = asApiError(error);
      form.setErrors(fieldMessages(problem, { image: 'image' }));
      if (problem.status === 412) void client.fetchQuery({ ...instanceQuery(instance.id), staleTime: 0 });
    },
    onSuccess: () => {
      onClose();
      notifications.show({ message: `${instance.name} is being upgraded` });
      // The steps stand there, and how it ended.
      void navigate({ to: '/instances/$id', params: { id: instance.id }, search: {} });
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: keys.instance(instance.id) });
      void client.invalidateQueries({ queryKey: keys.jobs });
    },
  });
  const same = form.values.image.trim() === instance.image;
  return (
    <Modal opened onClose={onClose} title={`Upgrade ${instance.name}`} size="lg">
      <form onSubmit={form.onSubmit((values) => upgrade.mutate(values))} aria-label="Upgrade" data-testid="upgrade-form" noValidate>
        <Stack gap="md">
          <div>
            <TextInput
              label="Image"
              description={`Of Odoo ${instance.odoo_version}: another version takes a migration of the database.`}
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              data-autofocus
              data-testid="upgrade-image"
              {...form.getInputProps('image')}
            />
            <Text size="xs" c="dimmed" mt={6} data-testid="upgrade-meaning">
              {same ? 'The same tag as it is now: what it stands for today is fetched.' : `Now: ${instance.image}`}
            </Text>
          </div>
          <UpdateChoice
            fetched="The image is fetched and tried with the modules, while Odoo serves."
            way={form.values.way}
            onChange={(way) => form.setFieldValue('way', way)}
          />
          <FormError error={upgrade.error} shown={form.errors} />
          <FormButtons onCancel={onClose} loading={upgrade.isPending} data-testid="upgrade">
            Upgrade
          </FormButtons>
        </Stack>
      </form>
    </Modal>
  );
}
