// A terminal in the page. Loaded on demand: xterm is the console's largest part.
import { Button, Group, Text } from '@mantine/core';
import { useComputedColorScheme } from '@mantine/core';
import { FitAddon } from '@xterm/addon-fit';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal as Xterm } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { useEffect, useRef, useState } from 'react';
import { Notice } from '@/components/Notice';
import { Dot } from '@/components/StatusBadge';
import { copyText } from '@/lib/clipboard';
import { formatBytes } from '@/lib/format';
import { useNow } from '@/lib/now';
import { ofTab, readStored, TERMINAL, writeStored } from '@/lib/storage';
import { useSession } from '@/shell/session';
import { terminalTheme } from '@/theme';
import { TerminalConnection, type TerminalState } from './connection';
import classes from './terminal.module.css';
import { askPlainly, openSocket } from './ticket';

/** What a person does who uses the terminal, in contrast to what the terminal answers by itself. */
const BY_HAND = ['keydown', 'beforeinput', 'pointerdown', 'wheel', 'paste'] as const;

export interface TerminalProps {
  /** Path of the WebSocket, e.g. `/api/servers/ID/terminal`. */
  path: string;
  query?: Record<string, string>;
  label: string;
  height?: number | string;
}

export default function Terminal({ path, query, label, height = 'max(320px, calc(100dvh - 270px))' }: TerminalProps) {
  const host = useRef<HTMLDivElement>(null);
  const connection = useRef<TerminalConnection | null>(null);
  const screen = useRef<Xterm | null>(null);
  const status = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<TerminalState>({ kind: 'connecting' });
  const [run, setRun] = useState(0);
  const scheme = useComputedColorScheme('dark');
  const extra = JSON.stringify(query ?? {});
  const { user } = useSession();
  const storageKey = `${TERMINAL}${user.id}.${path}.${extra}`;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const xterm = new Xterm({
      allowProposedApi: true,
      cursorBlink: true,
      fontFamily: getComputedStyle(element).fontFamily,
      fontSize: 13,
      scrollback: 10_000,
      theme: terminalTheme(element),
    });
    const fit = new FitAddon();
    xterm.loadAddon(fit);
    xterm.loadAddon(new Unicode11Addon());
    xterm.unicode.activeVersion = '11';
    xterm.open(element);
    fit.fit();
    xterm.focus();
    screen.current = xterm;

    xterm.attachCustomKeyEventHandler((event) => {
      const key = event.key.toLowerCase();
      if (event.type !== 'keydown' || !event.ctrlKey || !event.shiftKey) return true;
      // Tab belongs to the shell, so another key has to lead out for those who use no mouse.
      if (key === 'x') {
        event.preventDefault();
        status.current?.focus();
        return false;
      }
      if (key === 'c') {
        event.preventDefault();
        if (xterm.hasSelection()) void copyText(xterm.getSelection()).then(() => xterm.focus());
        return false;
      }
      // The browser then pastes by itself, which xterm takes.
      return key !== 'v';
    });

    const earlier = readStored(storageKey, ofTab);
    // What a terminal has shown before comes again, and with it the questions of programs (cursor, colours): they were
    // answered then, and an answer now would be typed into the shell.
    let replayed = earlier !== null;
    const link = new TerminalConnection(
      {
        connect: (values) => openSocket(path, { ...(JSON.parse(extra) as Record<string, string>), ...values }),
        ask: () => askPlainly(path),
        onTerminal: (id) => {
          if (id !== earlier) replayed = false;
          writeStored(storageKey, id, ofTab);
        },
        onData: (bytes) => xterm.write(bytes),
        onDropped: (bytes) => xterm.write(`\r\n\u001b[2m[${formatBytes(bytes)} of output are lost here]\u001b[0m\r\n`),
        onState: setState,
      },
      { cols: xterm.cols, rows: xterm.rows },
      earlier,
    );
    connection.current = link;
    const byHand = () => (replayed = false);
    for (const kind of BY_HAND) element.addEventListener(kind, byHand, { capture: true, once: true });
    const input = (bytes: Uint8Array<ArrayBuffer>) => {
      if (!replayed) link.input(bytes);
    };
    const encoder = new TextEncoder();
    xterm.onData((data) => input(encoder.encode(data)));
    xterm.onBinary((data) => input(Uint8Array.from(data, (c) => c.charCodeAt(0))));
    xterm.onResize(({ cols, rows }) => link.resize(cols, rows));
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) fit.fit();
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      for (const kind of BY_HAND) element.removeEventListener(kind, byHand, { capture: true });
      link.close();
      xterm.dispose();
      screen.current = null;
    };
  }, [path, extra, storageKey, run]);

  useEffect(() => {
    screen.current?.textarea?.setAttribute('aria-label', `${label}. Ctrl+Shift+X leaves it.`);
  }, [label, storageKey, run]);

  useEffect(() => {
    if (host.current && screen.current) screen.current.options.theme = terminalTheme(host.current);
  }, [scheme]);

  return (
    <div className={classes.frame} style={{ height }}>
      <TerminalNotice state={state} onRetry={() => connection.current?.retryNow()} onNew={() => setRun((n) => n + 1)} />
      <div ref={host} className={classes.screen} data-testid="terminal" data-state={state.kind} />
      <div ref={status} className={classes.status} role="status" tabIndex={-1} data-testid="terminal-status">
        <TerminalStatus state={state} />
        <Text size="xs" c="dimmed" ml="auto" visibleFrom="sm">
          Ctrl+Shift+C copies, Ctrl+Shift+V pastes, Ctrl+Shift+X leaves
        </Text>
      </div>
    </div>
  );
}

function TerminalStatus({ state }: { state: TerminalState }) {
  switch (state.kind) {
    case 'connecting':
      return (
        <>
          <Dot tone="busy" /> Connecting
        </>
      );
    case 'open':
      return (
        <>
          <Dot tone="good" />
          {state.survivesAgent ? 'Connected · outlives a restart of the agent' : 'Connected'}
        </>
      );
    case 'server-reconnecting':
    case 'waiting':
      return (
        <>
          <Dot tone="warn" /> Interrupted
        </>
      );
    case 'exited':
      return (
        <>
          <Dot tone="idle" /> {`Ended with code ${state.code}`}
        </>
      );
    case 'failed':
      return (
        <>
          <Dot tone="bad" /> Failed
        </>
      );
  }
}

function TerminalNotice({ state, onRetry, onNew }: { state: TerminalState; onRetry: () => void; onNew: () => void }) {
  const now = useNow(true);
  const secondsTo = (at: number) => Math.max(0, Math.ceil((at - now) / 1000));
  if (state.kind === 'connecting' || state.kind === 'open') return null;
  if (state.kind === 'exited' || state.kind === 'failed') {
    return (
      <Notice tone={state.kind === 'failed' ? 'bad' : 'idle'}>
        <Group justify="space-between" gap="xs">
          <Text size="sm">{state.kind === 'failed' ? state.message : `The shell ended with code ${state.code}.`}</Text>
          <Button size="compact-xs" variant="default" onClick={onNew}>
            Open a new one
          </Button>
        </Group>
      </Notice>
    );
  }
  return (
    <Notice tone="warn">
      <Group justify="space-between" gap="xs">
        <Text size="sm">
          {state.kind === 'waiting'
            ? `The connection is lost. The terminal goes on; next attempt in ${secondsTo(state.retryAt)} s.`
            : `${state.message}${state.retryAt === null ? '' : ` Next attempt in ${secondsTo(state.retryAt)} s.`}`}
        </Text>
        {state.retryAt !== null && (
          <Button size="compact-xs" variant="default" onClick={onRetry}>
            Retry now
          </Button>
        )}
      </Group>
    </Notice>
  );
}
