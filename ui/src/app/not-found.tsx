import { Link } from "@tanstack/react-router";
import { buttonClass } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/states";

/** No page has this address. */
export function NotFound() {
  return (
    <main>
      <EmptyState
        isPage
        icon="search"
        title="There is no such page"
        action={
          <Link to="/workflows" className={buttonClass("secondary")}>
            To the workflows
          </Link>
        }
      >
        It may have been moved, or the address is not whole.
      </EmptyState>
    </main>
  );
}
