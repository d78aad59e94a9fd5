import { type Density, usePreferences } from "./preferences";
import { useIsWide } from "./use-is-wide";

/** How high rows of lists are, in pixels: with room for columns in one line, else in three. */
const ROWS = {
  comfortable: { wide: 40, narrow: 80 },
  compact: { wide: 32, narrow: 68 },
} as const satisfies Record<Density, { wide: number; narrow: number }>;

/** How high a row of one line is. */
export function useRowPixels(): number {
  return ROWS[usePreferences((state) => state.density)].wide;
}

/** How high a row is that stands in three lines where there is no room for columns. */
export function useFoldingRowPixels(): number {
  const { wide, narrow } = ROWS[usePreferences((state) => state.density)];
  return useIsWide() ? wide : narrow;
}

/** Tell the styles how high rows are (`--row`), now and whenever it changes; called once, before the first page is drawn. */
export function followDensity(): () => void {
  const tell = (density: Density) => document.documentElement.style.setProperty("--row", `${ROWS[density].wide}px`);
  tell(usePreferences.getState().density);
  return usePreferences.subscribe(({ density }) => tell(density));
}
