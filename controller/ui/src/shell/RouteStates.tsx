import { Button, Center, Container } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import { ApiError } from '@/api/errors';
import { EmptyState, ErrorState } from '@/components/States';

export function NotFound() {
  return (
    <Center mih="80dvh">
      <EmptyState
        icon={<IconMapQuestion size={22} />}
        title="There is no such page"
        text="The address may be mistyped, or what it showed has been removed."
        action={
          <Button component="a" href="/" variant="default">
            To the dashboard
          </Button>
        }
      />
    </Center>
  );
}

export function RouteError({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <Container size="sm" py="xl">
      <ErrorState
        error={error}
        onRetry={() => {
          // A part of the console that could not be loaded may belong to a version that is gone by now.
          if (!(error instanceof ApiError)) return window.location.reload();
          reset();
          void router.invalidate();
        }}
      />
    </Container>
  );
}
