import { DEFAULT_THEME, type MantineTheme } from '@mantine/core';
import { describe, expect, it } from 'vitest';
import { cssVariables, theme } from './theme';

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [less = 0, more = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (more + 0.05) / (less + 0.05);
}

describe.each(['light', 'dark'] as const)('the %s theme', (scheme) => {
  const tokens: Record<string, string> = cssVariables(DEFAULT_THEME as MantineTheme)[scheme];
  const token = (name: string) => tokens[name] ?? '';

  it('has filled buttons with readable words', () => {
    const shade = (theme.primaryShade as Record<typeof scheme, number>)[scheme];
    for (const colors of [theme.colors?.harbor, DEFAULT_THEME.colors.red]) {
      expect(contrast('#ffffff', colors?.[shade] ?? '')).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('has readable badges', () => {
    if (scheme === 'dark') return;
    for (const color of ['orange', 'teal', 'yellow'] as const) {
      const ground = DEFAULT_THEME.colors[color][1];
      expect(contrast(token(`--mantine-color-${color}-light-color`), ground), color).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('has readable words on everything they are written on', () => {
    for (const text of ['--oc-accent', '--oc-good', '--oc-warn', '--oc-bad', '--mantine-color-dimmed']) {
      for (const ground of ['--oc-surface', '--oc-sunken', '--mantine-color-body', '--oc-hover']) {
        expect(contrast(token(text), token(ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
});
