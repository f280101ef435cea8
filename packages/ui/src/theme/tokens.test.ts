import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sampleHues } from '../flame/colour.ts';
import { contrast, oklchToRgb, type Rgb } from './oklch.ts';

/** WCAG AA for text of normal size. */
const AA = 4.5;
/** WCAG 2.2 for what is not text but has to be seen. */
const GRAPHIC = 3;

const css = readFileSync(new URL('../styles/tokens.css', import.meta.url), 'utf8');

function tokensOf(theme: 'light' | 'dark'): Map<string, string> {
  const block = new RegExp(`\\[data-theme='${theme}'\\] \\{([^}]*)\\}`, 'u').exec(css)?.[1] ?? '';
  return new Map(
    [...block.matchAll(/(--[\w-]+): ([^;]+);/gu)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
}

describe.each(['light', 'dark'] as const)('the %s theme', (theme) => {
  const tokens = tokensOf(theme);
  const rgb = (name: string): Rgb => {
    const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/u.exec(tokens.get(name) ?? '');
    if (hex === null) throw new Error(`${name} is not a hex colour: ${tokens.get(name)}`);
    return [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16), Number.parseInt(hex[3]!, 16)];
  };

  test.each([
    ['--text', '--bg-canvas'],
    ['--text', '--bg-panel'],
    ['--text', '--bg-elevated'],
    ['--text', '--bg-hover'],
    ['--text', '--accent-soft'],
    ['--text-muted', '--bg-canvas'],
    ['--text-muted', '--bg-panel'],
    ['--text-muted', '--bg-elevated'],
    ['--text-muted', '--flame-label-bg'],
    ['--accent', '--bg-panel'],
    ['--on-accent', '--accent'],
    ['--warn', '--warn-soft'],
    ['--danger', '--danger-soft'],
    ['--flame-label-text', '--flame-label-bg'],
  ])('%s can be read on %s', (text, ground) => {
    expect(contrast(rgb(text), rgb(ground))).toBeGreaterThanOrEqual(AA);
  });

  test.each([
    ['--border-strong', '--bg-panel'],
    ['--match', '--bg-panel'],
    ['--accent', '--bg-canvas'],
    ['--good', '--bg-panel'],
  ])('%s can be seen on %s', (mark, ground) => {
    expect(contrast(rgb(mark), rgb(ground))).toBeGreaterThanOrEqual(GRAPHIC);
  });

  test('labels can be read on boxes of every kind and hue', () => {
    const lightness = Number(tokens.get('--flame-lightness'));
    const chroma = Number(tokens.get('--flame-chroma'));
    for (const kind of ['kernel', 'native', 'jit', 'interpreted'] as const) {
      for (const hue of sampleHues(kind, 24)) {
        expect(contrast(rgb('--flame-text'), oklchToRgb(lightness, chroma, hue))).toBeGreaterThanOrEqual(AA);
      }
    }
  });

  test('labels can be read on faded boxes', () => {
    const lightness = Number(tokens.get('--flame-lightness')) + (theme === 'dark' ? -0.11 : 0.08);
    for (const hue of sampleHues('native', 24)) {
      const ground = oklchToRgb(lightness, Number(tokens.get('--flame-chroma')) * 0.35, hue);
      expect(contrast(rgb('--flame-text-faded'), ground)).toBeGreaterThanOrEqual(AA);
    }
  });
});

test('OKLCH becomes the sRGB that its author gives', () => {
  expect(oklchToRgb(0.628, 0.2577, 29.23)).toEqual([255, 0, 0]);
  expect(oklchToRgb(1, 0, 0)).toEqual([255, 255, 255]);
  expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 5);
});
