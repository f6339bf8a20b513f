// What a page shows when there is nothing, when it waits, and when it failed.
import { Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconLock, IconPlugConnectedX } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asApiError, type ApiError } from '@/api/errors';
import { ButtonLink } from './ButtonLink';
import classes from './components.module.css';
import { Notice } from './Notice';

export function EmptyState(props: { icon: ReactNode; title: string; text: string; action?: ReactNode }) {
  return (
    <div className={classes.empty} data-testid="empty">
      <div className={classes.emptyIcon}>{props.icon}</div>
      <Title order={2}>{props.title}</Title>
      <Text c="dimmed" size="sm" maw={440}>
        {props.text}
      </Text>
      {props.action}
    </div>
  );
}

export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = asApiError(error);
  const lacksFactor = problem.code === 'second_factor_required';
  return (
    <Notice
      tone={isAway(problem) || lacksFactor ? 'warn' : 'bad'}
      icon={
        isAway(problem) ? <IconPlugConnectedX size={18} /> : lacksFactor ? <IconLock size={18} /> : <IconAlertTriangle size={18} />
      }
      title={titleOf(problem)}
      testId="error"
    >
      <Text size="sm">{problem.message}</Text>
      {problem.requestId && !lacksFactor && (
        <Text size="xs" c="dimmed" mt={4}>
          Request {problem.requestId}
        </Text>
      )}
      {(onRetry || lacksFactor) && (
        <Group mt="sm" gap="xs">
          {lacksFactor && (
            <ButtonLink size="xs" to="/account" search={{ tab: 'security' }} data-testid="to-security">
              Set it up in your account
            </ButtonLink>
          )}
          {onRetry && (
            <Button size="xs" variant="default" onClick={onRetry}>
              Try again
            </Button>
          )}
        </Group>
      )}
    </Notice>
  );
}

/** The controller or the server is out of reach, which passes. */
function isAway({ isOffline, code }: ApiError): boolean {
  return isOffline || code === 'agent_offline';
}

function titleOf(problem: ApiError): string {
  if (problem.status === 404) return 'Not found';
  if (problem.isOffline) return 'No connection';
  if (isAway(problem)) return 'The server is not connected';
  return problem.code === 'second_factor_required' ? 'A second factor is needed here' : 'This did not work';
}

export function LoadingRows({ rows = 5 }: { rows?: number }) {
  return (
    <Stack gap={14} p="md" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} height={18} width={`${92 - ((index * 13) % 30)}%`} />
      ))}
    </Stack>
  );
}

export interface LoadedProps<T> {
  query: UseQueryResult<T>;
  /** How many lines stand in for it meanwhile. */
  rows?: number;
  children: (data: T) => ReactNode;
}

/** What a query has read; until then that it is on its way, or why it does not come. */
export function Loaded<T>({ query, rows, children }: LoadedProps<T>) {
  if (query.isPending) return <LoadingRows rows={rows} />;
  if (query.isError) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  return children(query.data);
}
