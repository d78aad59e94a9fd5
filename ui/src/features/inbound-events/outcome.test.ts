import { describe, expect, it } from "vitest";
import { OUTCOMES, OUTCOME_LOOKS, findOutcome, tellReason } from "./outcome";

describe("outcomes of events", () => {
  it("are told apart by their shapes, not by their colours alone", () => {
    const tones = OUTCOMES.map((outcome) => OUTCOME_LOOKS[outcome].tone);
    expect(new Set(tones).size).toBe(OUTCOMES.length);
  });

  it("are found by their names", () => {
    expect([findOutcome("filtered"), findOutcome("lost"), findOutcome(undefined)]).toEqual(["filtered", undefined, undefined]);
  });
});

describe("reasons", () => {
  it("are told in words, and by their codes where nobody knows the words", () => {
    expect(tellReason("invalid_signature")).toBe("the signature or the credentials are wrong");
    expect(tellReason("something_new")).toBe("something_new");
  });
});
