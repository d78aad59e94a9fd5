import { Link } from "@tanstack/react-router";
import { buttonClass } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/states";
import { usePageTitle } from "@/lib/page-title";

const TITLE = "There is no such page";

/** No page has this address; the way to others stands around it. */
export function NotFound() {
  usePageTitle(TITLE);
  return (
    <EmptyState
      isPage
      icon="search"
      title={TITLE}
      action={
        <Link to="/workflows" className={buttonClass("secondary")}>
          To the workflows
        </Link>
      }
    >
      It may have been moved, or the address is not whole.
    </EmptyState>
  );
}
