import { Group, Kbd, Modal, Stack, Text } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { KeySequence, SHORTCUTS, takesKeys, type Shortcut } from '@/lib/hotkeys';

/** Keys that work on every page, and the list of them. */
export function Shortcuts({ opened, onOpen, onClose }: { opened: boolean; onOpen: () => void; onClose: () => void }) {
  const navigate = useNavigate();
  const run = useRef<(shortcut: Shortcut) => void>(() => undefined);
  useEffect(() => {
    run.current = (shortcut) => {
      switch (shortcut) {
        case 'g d':
          return void navigate({ to: '/' });
        case 'g s':
          return void navigate({ to: '/servers' });
        case 'g p':
          return void navigate({ to: '/projects' });
        case 'g i':
          return void navigate({ to: '/instances' });
        case 'g j':
          return void navigate({ to: '/jobs' });
        case 'g m':
          return void navigate({ to: '/members' });
        case 'g k':
          return void navigate({ to: '/api-keys' });
        case 'g r':
          return void navigate({ to: '/registries' });
        case 'g b':
          return void navigate({ to: '/backups' });
        case 'g o':
          return void navigate({ to: '/backup-destinations' });
        case 'g w':
          return void navigate({ to: '/webhooks' });
        case 'g a':
          return void navigate({ to: '/audit' });
        case '/':
          return document.querySelector<HTMLInputElement>('input[data-search]')?.focus();
        case 'n': {
          const button = document.querySelector<HTMLElement>('main [data-new]');
          return button ? button.click() : void navigate({ to: '/instances/new' });
        }
        case '?':
          return onOpen();
      }
    };
  });

  useEffect(() => {
    const sequence = new KeySequence();
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || takesKeys(event.target)) return;
      const shortcut = sequence.press(event.key, event.timeStamp);
      if (!shortcut) return;
      event.preventDefault();
      run.current(shortcut);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);

  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard" size="sm">
      <Stack gap="xs">
        {SHORTCUTS.map(({ keys, label }) => (
          <Group key={keys} justify="space-between" wrap="nowrap">
            <Text size="sm">{label}</Text>
            <Group gap={4} wrap="nowrap">
              {keys.split(' ').map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </Group>
          </Group>
        ))}
      </Stack>
    </Modal>
  );
}
