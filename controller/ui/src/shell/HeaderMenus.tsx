import { ActionIcon, Avatar, Menu, Text, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { IconCheck, IconChevronDown, IconKeyboard, IconLogout, IconMoon, IconSun, IconSunMoon } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { COOKIE_SESSION } from '@/api/session';
import { forgetPerson } from '@/lib/storage';
import { useSession } from './session';
import classes from './shell.module.css';

export function OrganizationMenu() {
  const { user, organization, switchTo } = useSession();
  const navigate = useNavigate();
  if (user.organizations.length === 1) {
    return (
      <Text size="sm" fw={500} truncate maw={{ base: 110, sm: 220 }} title={organization.name}>
        {organization.name}
      </Text>
    );
  }
  return (
    <Menu position="bottom-start" width={260}>
      <Menu.Target>
        <UnstyledButton className={classes.account} aria-label={`Organization: ${organization.name}`}>
          <Text size="sm" fw={500} truncate maw={{ base: 100, sm: 220 }}>
            {organization.name}
          </Text>
          <IconChevronDown size={14} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Organizations</Menu.Label>
        {user.organizations.map((o) => (
          <Menu.Item
            key={o.slug}
            rightSection={o.slug === organization.slug ? <IconCheck size={15} /> : null}
            onClick={() => {
              switchTo(o.slug);
              void navigate({ to: '/' });
            }}
          >
            {o.name}
            <Text size="xs" c="dimmed">
              {o.role}
            </Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

const SCHEMES = [
  { value: 'auto', label: 'Same as the system', icon: IconSunMoon },
  { value: 'light', label: 'Light', icon: IconSun },
  { value: 'dark', label: 'Dark', icon: IconMoon },
] as const;

export function ThemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = SCHEMES.find((s) => s.value === colorScheme)?.icon ?? IconSunMoon;
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <ActionIcon color="gray" size="lg" aria-label="Colour theme">
          <Current size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            leftSection={<Icon size={16} />}
            rightSection={colorScheme === value ? <IconCheck size={15} /> : null}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

export function UserMenu({ onShortcuts }: { onShortcuts: () => void }) {
  const { user, organization } = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const logout = useMutation({
    mutationFn: () => unwrap(api.POST('/api/auth/logout', { headers: COOKIE_SESSION })),
    onSuccess: () => {
      void navigate({ to: '/login' }).then(() => {
        client.clear();
        forgetPerson();
      });
    },
  });
  const initials = user.name
    .split(/\s+/)
    .map((word) => word.charAt(0))
    .slice(0, 2)
    .join('')
    .toUpperCase();
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton className={classes.account} aria-label="Account" data-testid="user-menu">
          <Avatar size={28} radius="xl" color="harbor">
            {initials}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" c="var(--mantine-color-text)" fw={600}>
            {user.name}
          </Text>
          <Text size="xs">{user.email}</Text>
          <Text size="xs">
            {organization.role} of {organization.name}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item leftSection={<IconKeyboard size={16} />} onClick={onShortcuts}>
          Keyboard shortcuts
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => logout.mutate()} data-testid="sign-out">
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
