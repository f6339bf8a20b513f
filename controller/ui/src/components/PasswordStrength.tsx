import { Group, Progress, Text } from '@mantine/core';
import { IconCheck, IconPoint } from '@tabler/icons-react';
import { PASSWORD_RULES, passwordStrength, strengthWord } from '@/lib/password';

export function PasswordStrength({ password }: { password: string }) {
  const strength = passwordStrength(password);
  const tone = strength < 35 ? 'bad' : strength < 60 ? 'warn' : 'good';
  return (
    <div aria-live="polite">
      <Group gap="xs" mt={4} wrap="nowrap">
        <Progress value={strength} size={5} color={`var(--oc-${tone})`} flex={1} aria-label="Strength of the password" />
        <Text size="xs" c="dimmed" w={44} ta="right">
          {password ? strengthWord(strength) : ''}
        </Text>
      </Group>
      <Group gap="sm" mt={4}>
        {PASSWORD_RULES.map((rule) => {
          const holds = rule.holds(password);
          return (
            <Text key={rule.label} size="xs" c={holds ? 'var(--oc-good)' : 'dimmed'} component="span">
              <Group gap={2} wrap="nowrap" component="span">
                {holds ? <IconCheck size={13} aria-label="fulfilled" /> : <IconPoint size={13} aria-label="missing" />}
                {rule.label}
              </Group>
            </Text>
          );
        })}
      </Group>
    </div>
  );
}
