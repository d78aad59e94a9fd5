import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button, buttonClass } from "@/components/ui/button";
import { usePermission } from "@/lib/me";
import type { BulkAction, Meant } from "./bulk";
import { BulkDialog } from "./bulk-dialog";
import type { RunFilters } from "./filters";
import { MOST_TICKED } from "./ticks";

interface BulkBarProps {
  filters: RunFilters;
  ticked: ReadonlySet<string>;
  onClear: () => void;
}

/** What can be done to the runs that are ticked, or to all that the filters let through. */
export function BulkBar({ filters, ticked, onClear }: BulkBarProps) {
  const [asked, setAsked] = useState<{ action: BulkAction; meant: Meant }>();
  const mayControl = usePermission("runs:control");
  const ids = [...ticked];
  const [first, second] = ids;
  const isFiltered = Object.keys(filters).length > 0;
  const meant: Meant | undefined = ids.length > 0 ? { ids } : isFiltered ? { filters } : undefined;
  const whose = ids.length > 0 ? `${ids.length} selected${ids.length < MOST_TICKED ? "" : ", the most at once"}` : "All that match";
  if (meant === undefined || (!mayControl && ids.length === 0)) return null;
  return (
    <div role="group" aria-label="Many runs at once" className="flex flex-wrap items-center gap-2 px-4 pb-3 md:px-6">
      <span className="text-ink-2">{whose}:</span>
      {mayControl && (
        <>
          <Button onClick={() => setAsked({ action: "cancel", meant })}>Cancel</Button>
          <Button onClick={() => setAsked({ action: "retry", meant })}>Retry</Button>
        </>
      )}
      {ids.length === 2 && first !== undefined && second !== undefined && (
        <Link to="/runs/compare" search={{ a: first, b: second }} className={buttonClass("secondary")}>
          Compare
        </Link>
      )}
      {ids.length > 0 && (
        <Button kind="quiet" icon="close" onClick={onClear}>
          Select none
        </Button>
      )}
      {asked !== undefined && (
        <BulkDialog
          action={asked.action}
          meant={asked.meant}
          onClose={() => setAsked(undefined)}
          onDone={() => {
            setAsked(undefined);
            onClear();
          }}
        />
      )}
    </div>
  );
}
