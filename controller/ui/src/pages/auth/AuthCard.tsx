import { Text, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';
import { Logo } from '@/components/Logo';
import classes from './auth.module.css';

export function AuthCard({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · oCore`;
  }, [title]);
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <div className={classes.brand}>
          <Logo size={30} /> oCore
        </div>
        <Title order={1} mb={4}>
          {title}
        </Title>
        <Text size="sm" c="dimmed" mb="lg">
          {text}
        </Text>
        {children}
      </div>
    </main>
  );
}
