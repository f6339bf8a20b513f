// Every design token: colours, sizes, tones, terminal colours. Components name tokens, never colours.
import {
  createTheme,
  type CSSVariablesResolver,
  type MantineColorsTuple,
  ActionIcon,
  Badge,
  Button,
  Drawer,
  Modal,
  Table,
  Tooltip,
} from '@mantine/core';
import type { ITheme } from '@xterm/xterm';

const harbor: MantineColorsTuple = [
  '#e8f7f9', '#d3ecf0', '#a6d9e1', '#74c5d1', '#4db4c3', '#34a9ba', '#2299ab', '#0f8597', '#077787', '#006776',
];

const slate: MantineColorsTuple = [
  '#d5dae1', '#b7bfca', '#97a1af', '#6d7887', '#333d4a', '#2a323d', '#232a34', '#181e26', '#11161d', '#0b0f14',
];

const mono = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export const theme = createTheme({
  primaryColor: 'harbor',
  // White on a lighter shade, of red too, is hard to read.
  primaryShade: { light: 8, dark: 8 },
  colors: { harbor, dark: slate },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, Cantarell, "Noto Sans", sans-serif',
  fontFamilyMonospace: mono,
  fontSizes: { xs: '12px', sm: '13.5px', md: '14.5px', lg: '16px', xl: '18px' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '21px', lineHeight: '28px' },
      h2: { fontSize: '16px', lineHeight: '24px' },
      h3: { fontSize: '14.5px', lineHeight: '22px' },
    },
  },
  defaultRadius: 'sm',
  radius: { xs: '3px', sm: '5px', md: '8px', lg: '12px', xl: '20px' },
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle' } }),
    Badge: Badge.extend({ defaultProps: { variant: 'light', radius: 'sm', tt: 'none', fw: 500 } }),
    Button: Button.extend({ defaultProps: { size: 'sm', fw: 500 } }),
    Modal: Modal.extend({
      defaultProps: { centered: true, closeButtonProps: { 'aria-label': 'Close' }, overlayProps: { backgroundOpacity: 0.5 } },
      styles: {
        content: { background: 'var(--oc-surface)', border: '1px solid var(--oc-border)' },
        header: { background: 'var(--oc-surface)' },
        title: { fontWeight: 600, fontSize: 'var(--mantine-font-size-lg)' },
      },
    }),
    Drawer: Drawer.extend({
      defaultProps: { position: 'right', size: 'xl', closeButtonProps: { 'aria-label': 'Close' }, overlayProps: { backgroundOpacity: 0.35 } },
      styles: {
        content: { background: 'var(--oc-surface)', borderLeft: '1px solid var(--oc-border)' },
        header: { background: 'var(--oc-surface)' },
        title: { fontWeight: 600, fontSize: 'var(--mantine-font-size-lg)' },
      },
    }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 9, horizontalSpacing: 'md', borderColor: 'var(--oc-border)' } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 400, withArrow: true } }),
  },
});

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f5f7f9',
    '--mantine-color-dimmed': '#5b6675',
    '--mantine-color-error': 'var(--oc-bad)',
    // Mantine's own are hard to read on the tint of a badge.
    '--mantine-color-orange-light-color': '#a83a06',
    '--mantine-color-teal-light-color': '#076b4d',
    '--mantine-color-yellow-light-color': '#7d5200',
    '--oc-surface': '#ffffff',
    '--oc-sunken': '#fbfcfd',
    '--oc-terminal': '#fbfcfd',
    '--oc-hover': '#eef2f5',
    '--oc-border': '#dde3e9',
    '--oc-accent': '#077787',
    '--oc-good': '#1b7a43',
    '--oc-busy': '#1d6fd0',
    '--oc-warn': '#9a5a00',
    '--oc-bad': '#c8322f',
    '--oc-idle': '#76818f',
    '--oc-found': '#ffe08a',
    '--oc-found-text': '#1b1400',
    ...ansi(['#24292f', '#c8322f', '#1f7a43', '#946200', '#1d63c0', '#8a3ab9', '#0f7c8a', '#5b6675'],
      ['#59636e', '#e0403c', '#2a9955', '#b07800', '#2f7de0', '#a552d6', '#1797a8', '#24292f']),
  },
  dark: {
    '--mantine-color-body': '#0d1117',
    '--mantine-color-dimmed': '#94a0af',
    '--mantine-color-error': 'var(--oc-bad)',
    '--oc-surface': '#141a22',
    '--oc-sunken': '#0a0e13',
    '--oc-terminal': '#0a0e13',
    '--oc-hover': '#1b222c',
    '--oc-border': '#262e39',
    '--oc-accent': '#34a9ba',
    '--oc-good': '#42b874',
    '--oc-busy': '#5aa2f0',
    '--oc-warn': '#e0a33e',
    '--oc-bad': '#f0706c',
    '--oc-idle': '#8a95a3',
    '--oc-found': '#7a5b00',
    '--oc-found-text': '#fff3cf',
    ...ansi(['#4d5866', '#f0706c', '#5cc98a', '#e0b04a', '#6cabf5', '#c792ea', '#4dc3d3', '#c9d1da'],
      ['#7d8896', '#ff8f8b', '#7fe0a6', '#f3c969', '#93c3ff', '#dcb0f7', '#74dbe8', '#f0f4f8']),
  },
});

function ansi(normal: string[], bright: string[]): Record<string, string> {
  return Object.fromEntries([...normal, ...bright].map((color, index) => [`--oc-ansi-${index}`, color]));
}

/** The colour scheme's terminal colours, as the variables stand at this element. */
export function terminalTheme(element: Element): ITheme {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(name).trim();
  const names = [
    'black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white', 'brightBlack', 'brightRed', 'brightGreen',
    'brightYellow', 'brightBlue', 'brightMagenta', 'brightCyan', 'brightWhite',
  ] as const;
  return {
    background: value('--oc-terminal'),
    foreground: value('--mantine-color-text'),
    cursor: value('--oc-accent'),
    cursorAccent: value('--oc-terminal'),
    selectionBackground: `${value('--oc-accent')}55`,
    ...Object.fromEntries(names.map((name, index) => [name, value(`--oc-ansi-${index}`)])),
  };
}
