import { Loader, Progress as ProgressBar, Text } from '@mantine/core';
import {
  IconArrowBackUp,
  IconCircleCheckFilled,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleXFilled,
} from '@tabler/icons-react';
import type { Progress, StepSnapshot, StepStatus } from '@/api/types';
import { formatBytes, formatCount, formatPercent, share } from '@/lib/format';
import { stateOf, stepState } from '@/lib/status';
import classes from './components.module.css';
import { toneStyle } from './StatusBadge';
import { Elapsed } from './Time';

export function StepIcon({ status }: { status: StepStatus }) {
  switch (status) {
    case 'running':
      return <Loader size={16} color="var(--oc-busy)" />;
    case 'succeeded':
      return <IconCircleCheckFilled size={20} />;
    case 'failed':
      return <IconCircleXFilled size={20} />;
    case 'skipped':
      return <IconCircleMinus size={20} />;
    case 'undone':
      return <IconArrowBackUp size={18} />;
    case 'pending':
      return <IconCircleDashed size={20} />;
  }
}

function progressText({ done, total, unit }: Progress): string {
  const amount = (n: number) => (unit === 'bytes' ? formatBytes(n) : formatCount(n));
  const noun = unit === 'bytes' ? '' : ` ${unit}`;
  return total == null ? `${amount(done)}${noun}` : `${amount(done)} of ${amount(total)}${noun}`;
}

function StepProgress({ progress, title }: { progress: Progress; title: string }) {
  const percent = progress.total ? share(progress.done, progress.total) : null;
  return (
    <div className={classes.stepDetail}>
      {percent !== null && <ProgressBar value={percent} size={5} my={5} aria-label={`Progress of: ${title}`} />}
      <span className="numbers">
        {progressText(progress)}
        {percent !== null && ` · ${formatPercent(percent)}`}
      </span>
    </div>
  );
}

/** The steps of a job, live. */
export function StepList({ steps }: { steps: StepSnapshot[] }) {
  if (steps.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        The steps appear as soon as the work is planned.
      </Text>
    );
  }
  return (
    <ol className={classes.steps}>
      {steps.map((step) => {
        const state = stateOf(stepState, step.status);
        return (
          <li
            key={step.name}
            className={classes.step}
            style={toneStyle(state.tone)}
            data-testid="step-row"
            data-step={step.name}
            data-status={step.status}
          >
            <span className={classes.stepIcon} title={state.label} role="img" aria-label={state.label}>
              <StepIcon status={step.status} />
            </span>
            <Text size="sm" fw={step.status === 'running' ? 600 : 400} c={step.status === 'pending' ? 'dimmed' : undefined}>
              {step.title}
            </Text>
            <Text size="xs" c="dimmed">
              {step.started_at ? <Elapsed from={step.started_at} to={step.finished_at} /> : ''}
            </Text>
            {step.status === 'running' && step.progress && <StepProgress progress={step.progress} title={step.title} />}
            {step.message && <div className={classes.stepDetail}>{step.message}</div>}
          </li>
        );
      })}
    </ol>
  );
}
