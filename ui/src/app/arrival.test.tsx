import { cleanup, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, it } from "vitest";
import { usePageTitle } from "@/lib/page-title";
import { Arrival } from "./arrival";

afterEach(cleanup);

function Page({ title, isPassing = false }: { title: string; isPassing?: boolean }) {
  usePageTitle(title, isPassing);
  return null;
}

const shown = (page?: ReactNode) => (
  <>
    <Arrival />
    {page}
  </>
);

/** What is read out while pages come one after the other: each time that the text is put in anew. */
function listen() {
  const { container, rerender } = render(shown());
  const told: string[] = [];
  const text = () => container.querySelector("[aria-live]")?.firstElementChild;
  let last = text();
  return {
    told,
    show: (title: string, isPassing = false) => {
      rerender(shown(<Page key={`${title}${String(isPassing)}`} title={title} isPassing={isPassing} />));
      const now = text();
      if (now !== last && now?.textContent) told.push(now.textContent);
      last = now;
    },
  };
}

it("a page that comes is read out once, by the name of what it shows", () => {
  const { told, show } = listen();
  show("Workflows");
  told.length = 0;
  show("Workflow", true);
  expect(document.title).toBe("Workflow · FlowForge");
  show("Order fulfilment");
  expect(document.title).toBe("Order fulfilment · FlowForge");
  expect(told).toEqual(["Order fulfilment"]);
});

it("a page of the same name as the one before is read out as well", () => {
  const { told, show } = listen();
  show("Orders");
  told.length = 0;
  show("Runs");
  show("Orders");
  expect(told).toEqual(["Runs", "Orders"]);
});
