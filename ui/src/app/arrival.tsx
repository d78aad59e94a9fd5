import { useArrival } from "@/lib/page-title";

/** Reads out which page has come: one that is not loaded anew comes without a word. */
export function Arrival() {
  const { title, times } = useArrival();
  return (
    <p aria-live="polite" className="sr-only">
      {/* Put in anew each time: also a title that is the same as before is read out. */}
      <span key={times}>{title}</span>
    </p>
  );
}
