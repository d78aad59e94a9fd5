import { expect, it } from "vitest";
import { AUTHS, EVENTS, KINDS, MISSED, TIMINGS, nameTrigger, say } from "./trigger-words";

it("what starts runs is named in words, and what is newer than this page by its own name", () => {
  expect(["webhook", "manual", "api", "mail", "toString"].map(nameTrigger)).toEqual(["Webhook", "By hand", "API", "mail", "toString"]);
  expect(say(MISSED, "run_once")).toBe("One run makes up for all of them");
});

it("no choice is told by the name that the API has for it", () => {
  for (const words of [KINDS, TIMINGS, AUTHS, MISSED, EVENTS]) {
    for (const [name, word] of Object.entries(words)) {
      expect(word).not.toBe(name);
      expect(word).not.toMatch(/[a-z]_[a-z]/);
    }
  }
});
