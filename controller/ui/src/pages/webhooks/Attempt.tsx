// One request and what came back.
import { Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { WebhookAttempt } from '@/api/types';
import { CodeBox, HeaderList } from '@/components/Code';
import { Notice } from '@/components/Notice';
import { StatusBadge } from '@/components/StatusBadge';
import { formatDateTime, formatDuration } from '@/lib/format';
import classes from './webhooks.module.css';

function isSuccess({ status }: WebhookAttempt): boolean {
  return status != null && status >= 200 && status < 300;
}

export function AttemptDetail({ attempt, opened }: { attempt: WebhookAttempt; opened: boolean }) {
  return (
    <details className={classes.attempt} open={opened} data-testid="attempt">
      <summary>
        <StatusBadge
          state={{
            label: attempt.status == null ? 'No answer' : `Answered ${attempt.status}`,
            tone: isSuccess(attempt) ? 'good' : 'bad',
          }}
        />
        <Text size="sm">Attempt {attempt.number}</Text>
        <Text size="xs" c="dimmed" className="numbers">
          {formatDateTime(attempt.started_at)} · {formatDuration(attempt.milliseconds)}
        </Text>
      </summary>
      <div style={{ padding: 12 }}>
        <AttemptParts attempt={attempt} />
      </div>
    </details>
  );
}

export function AttemptParts({ attempt }: { attempt: WebhookAttempt }) {
  return (
    <Stack gap="sm">
      {attempt.problem && (
        <Notice tone="bad" icon={<IconAlertTriangle size={18} />} testId="attempt-problem">
          {attempt.problem}
        </Notice>
      )}
      <Part title="Headers of the request">
        <HeaderList headers={attempt.request_headers} label="headers of the request" />
      </Part>
      {attempt.response_headers && (
        <Part title="Headers of the answer">
          <HeaderList headers={attempt.response_headers} label="headers of the answer" />
        </Part>
      )}
      {attempt.response_body != null && (
        <Part title="Body of the answer" aside="the first 4 KiB">
          <CodeBox text={attempt.response_body || '(empty)'} label="body of the answer" height={200} testId="response-body" />
        </Part>
      )}
    </Stack>
  );
}

export function AttemptResult({ attempt }: { attempt: WebhookAttempt }) {
  if (isSuccess(attempt)) {
    return (
      <Notice tone="good" icon={<IconCircleCheck size={18} />} title="It came through" testId="test-result">
        Answered {attempt.status} after {formatDuration(attempt.milliseconds)}.
      </Notice>
    );
  }
  return (
    <Notice tone="bad" icon={<IconAlertTriangle size={18} />} title="It did not come through" testId="test-result">
      {attempt.problem ?? `Answered ${attempt.status}.`} It took {formatDuration(attempt.milliseconds)}.
    </Notice>
  );
}

export function Part({ title, aside, children }: { title: string; aside?: string; children: ReactNode }) {
  return (
    <div>
      <Text size="xs" fw={600} mb={4}>
        {title}{' '}
        {aside && (
          <Text span inherit c="dimmed" fw={400}>
            {aside}
          </Text>
        )}
      </Text>
      {children}
    </div>
  );
}
