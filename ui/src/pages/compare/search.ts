import { readId } from "@/lib/id";

/** Which two runs are compared, and which step of them is looked at; it lives in the address of the page. */
export interface CompareSearch {
  a?: string;
  b?: string;
  step?: string;
}

/** What an address says; whatever is none is left out. */
export function readCompareSearch(search: Record<string, unknown>): CompareSearch {
  const id = (name: "a" | "b") => {
    const value = readId(search[name]);
    return value === undefined ? {} : { [name]: value };
  };
  const step = search["step"];
  return { ...id("a"), ...id("b"), ...(typeof step === "string" && step !== "" ? { step } : {}) };
}
