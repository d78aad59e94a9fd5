import { Button } from "@/components/ui/button";
import { Moment } from "@/components/ui/moment";
import { usePeople } from "@/lib/people";
import type { Detail } from "./api";

interface ConflictProps {
  detail: Detail;
  onTakeTheirs: () => void;
  onKeepMine: () => void;
}

/** Somebody else has saved the draft since this text began: who, when, and whose is to be kept. */
export function Conflict({ detail, onTakeTheirs, onKeepMine }: ConflictProps) {
  const people = usePeople();
  return (
    <div role="alert" className="flex flex-wrap items-center gap-2 rounded-control border border-line-strong bg-retrying-soft p-3 text-retrying">
      <p className="min-w-48 flex-1">
        <bdi>{people(detail.updated_by)}</bdi> has saved another draft meanwhile, <Moment at={detail.updated_at} isRelative />. Nothing of yours is
        lost as long as you stay here.
      </p>
      <Button onClick={onTakeTheirs}>Show theirs, discard mine</Button>
      <Button onClick={onKeepMine}>Keep mine over theirs</Button>
    </div>
  );
}
