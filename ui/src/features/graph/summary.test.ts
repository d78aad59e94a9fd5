import { expect, it } from "vitest";
import { summaryOf } from "./summary";

it.each([
  ["http", { method: "POST", url: "https://shop.example/orders" }, "http: POST shop.example/orders"],
  ["http", { url: "{{ vars.shop }}/orders" }, "http: GET {{ vars.shop }}/orders"],
  ["delay", { seconds: 3600 }, "delay: 1 h"],
  ["delay", { seconds: "{{ input.pause }}" }, "delay: {{ input.pause }}"],
  ["delay", { until: "2027-01-31T09:00:00Z" }, "delay: 2027-01-31T09:00:00Z"],
  ["if", { condition: "input.total >\n  100" }, "if: input.total > 100"],
  ["switch", { cases: { large: "true", small: "false" } }, "switch: large, small"],
  ["transform", { values: { text: "dear" } }, "transform: text"],
  ["foreach", { items: "input.orders" }, "foreach: input.orders"],
  ["wait", { signal: "booked" }, "wait: booked"],
  ["approval", { message: "Is it all right?" }, "approval: Is it all right?"],
  ["respond", { status: 201 }, "respond: 201"],
  ["fail", { message: "It was rejected." }, "fail: It was rejected."],
  ["transform", { values: {} }, "transform"],
  ["respond", {}, "respond"],
  ["http", { url: 7 }, "http"],
  ["http", "none", "http"],
  ["workflow", { workflow_id: "01a21a4f-3d41-7000-8000-000000000001" }, "workflow"],
  ["theirs", { url: "https://shop.example" }, "theirs"],
  ["constructor", { url: "https://shop.example" }, "constructor"],
])("a step of the type %s with %j says %j", (type, config, summary) => {
  expect(summaryOf({ type, with: config })).toBe(summary);
});

it.each([
  ["if", { condition: "input.total ".repeat(100_000) }],
  ["http", { url: `https://shop.example/${"a".repeat(1_000_000)}` }],
  ["transform", { values: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`key ${at}`, at])) }],
])("a step of the type %s says no more than there is room for", (type, config) => {
  const { length } = summaryOf({ type, with: config });
  expect(length).toBeGreaterThan(100);
  expect(length).toBeLessThan(250);
});
