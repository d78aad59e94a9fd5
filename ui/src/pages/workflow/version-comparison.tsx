import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { Loaded } from "@/components/ui/loaded";
import { SelectField } from "@/components/ui/select-field";
import { DiffView } from "@/features/diff/diff-view";
import { formatJson } from "@/lib/json-text";
import { type Draft, versionTextQuery } from "./api";

/** What stands for the draft in the choice; versions stand for themselves. */
const DRAFT = "draft";

interface ComparisonProps {
  draft: Draft;
  version: number;
  /** The versions that are listed, the newest first. */
  known: readonly number[];
  onClose: () => void;
}

/** A version beside the draft, or beside another version: the older one at the left. */
export function VersionComparison({ draft, version, known, onClose }: ComparisonProps) {
  const [other, setOther] = useState<number>();
  return (
    <Dialog isOpen onClose={onClose} title={`Version ${version} and ${other === undefined ? "the draft" : `version ${other}`}`} isWide>
      <div className="mb-3 max-w-56">
        <SelectField
          label="Beside"
          value={other ?? DRAFT}
          onChange={(event) => setOther(known.find((one) => String(one) === event.target.value))}
        >
          <option value={DRAFT}>The draft</option>
          {known
            .filter((one) => one !== version)
            .map((one) => (
              <option key={one} value={one}>
                Version {one}
              </option>
            ))}
        </SelectField>
      </div>
      {other === undefined ? (
        <BesideDraft draft={draft} version={version} />
      ) : (
        <TwoVersions id={draft.detail.id} older={Math.min(version, other)} newer={Math.max(version, other)} />
      )}
    </Dialog>
  );
}

function BesideDraft({ draft, version }: { draft: Draft; version: number }) {
  const query = useQuery(versionTextQuery(draft.detail.id, version));
  return (
    <Loaded query={query}>
      {(text) => <DiffView left={formatJson(text)} right={formatJson(draft.text)} leftName={`Version ${version}`} rightName="The draft" />}
    </Loaded>
  );
}

function TwoVersions({ id, older, newer }: { id: string; older: number; newer: number }) {
  const left = useQuery(versionTextQuery(id, older));
  const right = useQuery(versionTextQuery(id, newer));
  return (
    <Loaded query={left}>
      {(before) => (
        <Loaded query={right}>
          {(after) => <DiffView left={formatJson(before)} right={formatJson(after)} leftName={`Version ${older}`} rightName={`Version ${newer}`} />}
        </Loaded>
      )}
    </Loaded>
  );
}
