// ANSI colours to plain segments of text. What comes out is rendered as text nodes, never as HTML.

export interface Style {
  /** 0-15, by the theme's palette; or `#rrggbb`. */
  fg?: number | string;
  bg?: number | string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
}

export interface Segment {
  text: string;
  style: Style | null;
}

// Select graphic rendition is kept; every other control sequence is left out.
const SEQUENCE = /\u001b\[([0-9;:]*)m|\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-Z\\-_=>]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

export function parseAnsi(text: string): Segment[] {
  // Most lines have no control character at all.
  if (!/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) return [{ text, style: null }];
  const segments: Segment[] = [];
  let style: Style | null = null;
  let from = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    if (match.index > from) segments.push({ text: text.slice(from, match.index), style });
    from = match.index + match[0].length;
    if (match[1] !== undefined) style = applyCodes(style, match[1]);
  }
  if (from < text.length) segments.push({ text: text.slice(from), style });
  return segments.length > 0 ? segments : [{ text: '', style: null }];
}

export function plainText(text: string): string {
  return parseAnsi(text)
    .map((segment) => segment.text)
    .join('');
}

function applyCodes(before: Style | null, codes: string): Style | null {
  let style: Style = { ...before };
  const list = codes === '' ? [0] : codes.split(/[;:]/).map(Number);
  for (let i = 0; i < list.length; i += 1) {
    const code = list[i] ?? 0;
    if (code === 0) style = {};
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style = { ...style, bold: undefined, dim: undefined };
    else if (code === 23) style.italic = undefined;
    else if (code === 24) style.underline = undefined;
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code === 39) style.fg = undefined;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 49) style.bg = undefined;
    else if (code === 38 || code === 48) {
      const [color, used] = extendedColor(list, i + 1);
      if (color !== undefined) style[code === 38 ? 'fg' : 'bg'] = color;
      i += used;
    }
  }
  return Object.values(style).some((value) => value !== undefined) ? style : null;
}

function extendedColor(list: number[], at: number): [number | string | undefined, number] {
  if (list[at] === 5) return [indexedColor(list[at + 1] ?? 0), 2];
  if (list[at] === 2) return [hex(list[at + 1] ?? 0, list[at + 2] ?? 0, list[at + 3] ?? 0), 4];
  return [undefined, 0];
}

function indexedColor(index: number): number | string {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (Math.min(index, 255) - 232) * 10;
    return hex(grey, grey, grey);
  }
  const cube = index - 16;
  const level = (n: number) => (n === 0 ? 0 : 55 + n * 40);
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function hex(...channels: number[]): string {
  return '#' + channels.map((c) => Math.min(255, Math.max(0, c | 0)).toString(16).padStart(2, '0')).join('');
}
