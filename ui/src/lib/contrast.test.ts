import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TONES } from "./status";

const CSS = readFileSync("src/styles.css", "utf8");
const TOKENS = new Map(
  [...CSS.matchAll(/--color-([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(([, name, light, dark]) => [
    name,
    { light, dark },
  ]),
);

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(front: string, back: string, theme: "light" | "dark"): number {
  const [a, b] = [front, back].map((name) => luminance(TOKENS.get(name)?.[theme] ?? "")) as [number, number];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const SURFACES = ["canvas", "surface", "sunken"];

describe.each(["light", "dark"] as const)("contrast in the %s theme (WCAG 2.2 AA)", (theme) => {
  it.each(["ink", "ink-2", "ink-3"])("lets %s be read on every surface", (ink) => {
    for (const surface of SURFACES) expect(contrast(ink, surface, theme)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["line-strong", "focus", "spark"])("lets %s be seen on every surface", (line) => {
    for (const surface of SURFACES) expect(contrast(line, surface, theme)).toBeGreaterThanOrEqual(3);
  });

  it.each(TONES)("lets %s be read on its own ground and on the page's", (tone) => {
    for (const ground of [`${tone}-soft`, "canvas", "surface"]) {
      expect(contrast(tone, ground, theme)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("lets the primary button be read", () => {
    expect(contrast("on-primary", "primary", theme)).toBeGreaterThanOrEqual(4.5);
  });
});
