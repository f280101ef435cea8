import { cssColour, oklchToRgb } from '../theme/oklch.ts';

/**
 * Colours of the areas. Hue alone does not separate eight groups for every eye (the closest pair of
 * a plain hue wheel is ΔE 0.5 under deuteranopia), so neighbours in the list differ in lightness, too.
 */
const SERIES_HUES = [255, 62, 165, 22, 300, 110, 215, 345] as const;
export const SERIES_COLOURS = SERIES_HUES.length;

export interface SeriesPalette {
  readonly bands: readonly string[];
  readonly rest: string;
}

export function seriesPalette(dark: boolean): SeriesPalette {
  const bands = SERIES_HUES.map((hue, i) => {
    const lightness = dark ? [0.56, 0.72, 0.5, 0.64][i % 4]! : [0.68, 0.82, 0.6, 0.75][i % 4]!;
    return cssColour(oklchToRgb(lightness, dark ? 0.1 : 0.105, hue));
  });
  return { bands, rest: dark ? 'rgb(70 77 88)' : 'rgb(201 206 214)' };
}
