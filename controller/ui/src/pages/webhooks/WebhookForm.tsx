import { Stack, Switch, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useEffect } from 'react';
import { asApiError, fieldMessages } from '@/api/errors';
import { FormButtons } from '@/components/FormButtons';
import { FormError } from '@/components/FormError';
import { EventPicker } from './EventPicker';
import { eventsProblem, urlProblem, type WebhookValues } from './webhooks';

export interface WebhookFormProps {
  saved: WebhookValues;
  action: string;
  busy: boolean;
  error: unknown;
  /** What was touched. */
  onSave: (values: WebhookValues, touched: Partial<WebhookValues>) => void;
  onDiscard?: () => void;
}

export function WebhookForm({ saved, action, busy, error, onSave, onDiscard }: WebhookFormProps) {
  const form = useForm({
    initialValues: saved,
    validate: {
      url: urlProblem,
      events: eventsProblem,
      description: (text) => ([...text].length > 255 ? 'At most 255 characters' : null),
    },
  });
  useEffect(() => {
    if (!error) return;
    const problem = asApiError(error);
    const events = problem.fields.find(({ field }) => field.startsWith('events'));
    form.setErrors({
      ...fieldMessages(problem, { url: 'url', description: 'description' }),
      ...(events && { events: events.message }),
    });
  }, [error]);
  const isNew = !saved.url;
  const submit = (values: WebhookValues) => {
    const clean = { ...values, url: values.url.trim(), description: values.description.trim() };
    const touched = Object.fromEntries(
      Object.entries(clean).filter(([field]) => form.isDirty(field)),
    ) as Partial<WebhookValues>;
    onSave(clean, touched);
  };
  return (
    <form onSubmit={form.onSubmit(submit)} aria-label="Webhook" data-testid="webhook-form" noValidate>
      <Stack gap="md">
        <TextInput
          label="Address"
          description="It gets a POST for each event. It must be public, unless the operator has opened its network."
          placeholder="https://example.com/hook"
          inputMode="url"
          spellCheck={false}
          autoComplete="off"
          data-autofocus
          {...form.getInputProps('url')}
        />
        <TextInput label="Description" placeholder="Chat room of the night shift" autoComplete="off" {...form.getInputProps('description')} />
        <EventPicker
          value={form.values.events}
          onChange={(events) => {
            form.setFieldValue('events', events);
            form.clearFieldError('events');
          }}
          error={form.errors.events}
        />
        <Switch
          label="On"
          description="While it is off nothing is sent, and what waits is cancelled."
          data-testid="webhook-active"
          {...form.getInputProps('active', { type: 'checkbox' })}
        />
        <FormError error={error} shown={form.errors} />
        <FormButtons onCancel={onDiscard} loading={busy} disabled={!isNew && !form.isDirty()} data-testid="save-webhook">
          {action}
        </FormButtons>
      </Stack>
    </form>
  );
}
