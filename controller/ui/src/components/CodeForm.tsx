// Where a code is asked for: six digits of an authenticator app, or a recovery code in its place.
import { Anchor, Button, Stack, TextInput } from '@mantine/core';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { asApiError } from '@/api/errors';
import { digitsOf } from '@/lib/codes';
import classes from './components.module.css';
import { FormButtons } from './FormButtons';

export interface CodeFormProps {
  label: string;
  action: string;
  /** A recovery code will do as well. */
  recovery?: boolean;
  /** There is no app to ask, only recovery codes. */
  recoveryOnly?: boolean;
  /** Six digits are sent without a click. */
  auto?: boolean;
  danger?: boolean;
  busy: boolean;
  error: unknown;
  onCode: (code: string) => void;
  onCancel?: () => void;
  /** Between the field and the buttons. */
  children?: ReactNode;
}

export function CodeForm(props: CodeFormProps) {
  const { auto, busy, error, onCode } = props;
  const [byRecovery, setByRecovery] = useState(props.recoveryOnly ?? false);
  const [code, setCode] = useState('');
  const [hint, setHint] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!error) return;
    // A code works once: the next try is another one.
    setCode('');
    field.current?.focus();
  }, [error]);
  useEffect(() => field.current?.focus(), [byRecovery]);
  const submit = (typed: string) => {
    if (busy) return;
    const whole = byRecovery ? typed.replace(/[\s-]/g, '').length === 12 : typed.length === 6;
    setHint(whole ? null : byRecovery ? 'A recovery code looks like abcd-efgh-jkmn' : 'A code has six digits');
    if (whole) onCode(typed);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit(code);
      }}
      aria-label={props.label}
      data-testid="code-form"
      noValidate
    >
      <Stack gap="sm">
        {byRecovery ? (
          <TextInput
            key="recovery"
            ref={field}
            label="Recovery code"
            description="One of the eight that you have kept. It works once."
            placeholder="abcd-efgh-jkmn"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            maxLength={24}
            classNames={{ input: classes.recoveryInput }}
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            error={hint ?? (error ? asApiError(error).message : null)}
            data-testid="recovery-code"
          />
        ) : (
          <TextInput
            key="code"
            ref={field}
            label="Code"
            description="The six digits that your authenticator app shows for oCore."
            placeholder="––––––"
            inputMode="numeric"
            autoComplete="one-time-code"
            data-autofocus
            classNames={{ input: classes.codeInput }}
            value={code}
            readOnly={busy}
            onChange={(event) => {
              const digits = digitsOf(event.currentTarget.value);
              setCode(digits);
              setHint(null);
              if (auto && digits.length === 6 && digits !== code) submit(digits);
            }}
            error={hint ?? (error ? asApiError(error).message : null)}
            data-testid="code"
          />
        )}
        {props.children}
        {props.recovery && !props.recoveryOnly && (
          <Anchor
            component="button"
            type="button"
            size="sm"
            style={{ alignSelf: 'flex-start' }}
            onClick={() => {
              setByRecovery(!byRecovery);
              setCode('');
              setHint(null);
            }}
            data-testid="toggle-recovery"
          >
            {byRecovery ? 'Use the app instead' : 'No phone at hand? Use a recovery code'}
          </Anchor>
        )}
        {props.onCancel ? (
          <FormButtons onCancel={props.onCancel} color={props.danger ? 'red' : undefined} loading={busy} data-testid="code-submit">
            {props.action}
          </FormButtons>
        ) : (
          <Button type="submit" loading={busy} fullWidth data-testid="code-submit">
            {props.action}
          </Button>
        )}
      </Stack>
    </form>
  );
}
