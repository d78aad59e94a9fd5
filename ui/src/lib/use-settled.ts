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
