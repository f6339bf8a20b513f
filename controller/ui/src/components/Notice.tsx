import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Tone } from '@/lib/status';
import classes from './components.module.css';
import { toneStyle } from './StatusBadge';

export interface NoticeProps {
  tone: Tone;
  title?: string;
  icon?: ReactNode;
  role?: 'alert' | 'status';
  testId?: string;
  children?: ReactNode;
}

/** Something to be known, tinted by its tone. */
export function Notice({ tone, title, icon, role, testId, children }: NoticeProps) {
  return (
    <div className={classes.notice} style={toneStyle(tone)} role={role} data-testid={testId}>
      {icon && <span className={classes.noticeIcon}>{icon}</span>}
      <div style={{ flex: 1, minWidth: 0 }}>
        {title && (
          <Text size="sm" fw={600}>
            {title}
          </Text>
        )}
        <Text size="sm" component="div">
          {children}
        </Text>
      </div>
    </div>
  );
}
