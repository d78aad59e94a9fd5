import { useQuery } from "@tanstack/react-query";
import { Loaded } from "@/components/ui/loaded";
import { limitsQuery } from "@/features/limits/api";
import { LimitList } from "@/features/limits/limit-list";
import { Section } from "./section";

/** What the installation holds its workspaces to: to be read here, and changed by whoever runs it. */
export function WorkspaceLimits() {
  const query = useQuery(limitsQuery);
  return (
    <Section title="Limits" lead="The same for all workspaces of this installation.">
      <Loaded query={query} rows={4}>
        {(limits) => <LimitList limits={limits} />}
      </Loaded>
    </Section>
  );
}
