/** Which two runs are compared, and which step of them is looked at; it lives in the address of the page. */
export interface CompareSearch {
  a?: string;
  b?: string;
  step?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What an address says; whatever is none is left out. */
export function readCompareSearch(search: Record<string, unknown>): CompareSearch {
  const id = (name: "a" | "b") => {
    const value = search[name];
    return typeof value === "string" && UUID.test(value) ? { [name]: value } : {};
  };
  const step = search["step"];
  return { ...id("a"), ...id("b"), ...(typeof step === "string" && step !== "" ? { step } : {}) };
}
