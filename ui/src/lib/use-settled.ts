import { useEffect, useState } from "react";

const PAUSE_MS = 400;

/** A value once it has not changed for a moment: what somebody types is not asked about for every letter. */
export function useSettled<Value>(value: Value): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** What is searched for, once nobody types any more; that nothing is, at once. */
export function useSettledText(text: string | undefined): string | undefined {
  const settled = useSettled(text);
  return text === undefined ? undefined : settled;
}

/** Filters, once nobody types what is searched for any more; every other change of them counts at once. */
export function useSettledFilters<Filters extends { q?: string }>(filters: Filters): Filters {
  const settled = useSettled(filters);
  return filters.q === undefined || filters.q === settled.q ? filters : settled;
}
