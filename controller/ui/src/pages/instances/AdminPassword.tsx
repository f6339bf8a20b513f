import { ActionIcon, Group, PasswordInput, Tooltip, type PasswordInputProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconWand } from '@tabler/icons-react';
import { CopyButton } from '@/components/Copy';
import { generatePassword } from '@/lib/password';

export interface AdminPasswordProps extends Omit<PasswordInputProps, 'value'> {
  value: string;
  onGenerate: (password: string) => void;
}

/** A password that can be made up and copied at once: it is not shown again later. */
export function AdminPassword({ onGenerate, value, label = 'Administrator password', ...input }: AdminPasswordProps) {
  const [visible, { toggle, open }] = useDisclosure();
  return (
    <Group align="flex-start" gap={4} wrap="nowrap">
      <PasswordInput
        {...input}
        flex={1}
        value={value}
        visible={visible}
        onVisibilityChange={toggle}
        autoComplete="new-password"
        label={label}
      />
      <Group gap={0} mt={26} wrap="nowrap">
        <Tooltip label="Make up a password">
          <ActionIcon
            size="lg"
            color="gray"
            aria-label="Make up a password"
            onClick={() => {
              onGenerate(generatePassword());
              open();
            }}
          >
            <IconWand size={17} />
          </ActionIcon>
        </Tooltip>
        {value && (
          <div style={{ marginTop: 3 }}>
            <CopyButton value={value} label="Copy the password" />
          </div>
        )}
      </Group>
    </Group>
  );
}
