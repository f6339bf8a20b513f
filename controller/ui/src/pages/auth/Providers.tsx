import { Button, Divider, Stack } from '@mantine/core';
import { IconBrandGithub, IconBrandGoogle, IconBuildingCommunity } from '@tabler/icons-react';
import type { SignInProvider } from '@/api/types';
import { providerHref } from './next';

const ICONS = { github: IconBrandGithub, google: IconBrandGoogle, oidc: IconBuildingCommunity } as const;

export function ProviderIcon({ kind, size = 17 }: { kind: SignInProvider['kind'] | undefined; size?: number }) {
  const Icon = (kind && ICONS[kind]) ?? IconBuildingCommunity;
  return <Icon size={size} aria-hidden />;
}

/** Accounts elsewhere that lead in here. */
export function Providers({ providers, next }: { providers: SignInProvider[]; next: string | undefined }) {
  return (
    <Stack gap="xs">
      {providers.map(({ id, kind, name }) => (
        <Button
          key={id}
          component="a"
          href={providerHref(id, next)}
          variant="default"
          leftSection={<ProviderIcon kind={kind} />}
          fullWidth
          data-testid={`provider-${id}`}
        >
          Continue with {name}
        </Button>
      ))}
    </Stack>
  );
}

export function Or() {
  return <Divider label="or" labelPosition="center" my="md" />;
}
