import { expect, test } from "vitest";
import { trackPath } from "./track";

const FROM = { x: 0, y: 0 };

test("a track turns halfway, or where it is told to", () => {
  expect(trackPath(FROM, { x: 100, y: 40 })).toBe("M0 0H42Q50 0 50 8V32Q50 40 58 40H100");
  expect(trackPath(FROM, { x: 100, y: -40 }, 24)).toBe("M0 0H16Q24 0 24 -8V-32Q24 -40 32 -40H100");
});

test("a track whose ends are level is straight, and the corners of a low one are small", () => {
  expect(trackPath(FROM, { x: 100, y: 0 }, 24)).toBe("M0 0L100 0");
  expect(trackPath(FROM, { x: 100, y: 8 }, 24)).toBe("M0 0H20Q24 0 24 4V4Q24 8 28 8H100");
});
