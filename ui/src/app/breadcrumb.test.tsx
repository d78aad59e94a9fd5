import { cleanup, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, it, vi } from "vitest";
import { PageHeader } from "@/components/ui/page-header";
import { Breadcrumb } from "./breadcrumb";

vi.mock("@tanstack/react-router", async (original) => ({
  ...(await original<object>()),
  useRouterState: () => window.location.pathname,
  Link: ({ to, children }: { to: string; children: ReactNode }) => <a href={to}>{children}</a>,
}));

afterEach(cleanup);

/** What stands around a page of this address; the page comes later. */
function arriveAt(path: string) {
  window.history.replaceState(null, "", path);
  const around = (page: ReactNode) => (
    <>
      <Breadcrumb className="" />
      {page}
    </>
  );
  const { rerender } = render(around(null));
  return (page: ReactNode) => rerender(around(page));
}

const trail = () => screen.queryByRole("navigation", { name: "Breadcrumb" })?.textContent;

it.each([
  ["/runs/01a21a4f", "Runs"],
  ["/runs/compare", "Runs"],
  ["/workflows/01a21a4f", "Workflows"],
  ["/connections/01a21a4f", "Connections"],
])("below a list, as at %s, there is the way up to it", (path, list) => {
  arriveAt(path);
  expect(screen.getByRole("link", { name: list }).getAttribute("href")).toBe(`/${list.toLowerCase()}`);
  expect(trail()).toBe(list);
});

it.each(["/", "/runs", "/runs/", "/no-such-list/1", "/runs/1/2"])("%s is below no list", (path) => {
  arriveAt(path);
  expect(trail()).toBeUndefined();
});

it("says what the page is of, not how it stands, once the page is there", () => {
  const show = arriveAt("/runs/1");
  show(<PageHeader title="Run" isPassing />);
  expect(trail()).toBe("Runs");
  show(<PageHeader title="Orders" tab="Failed: Orders" />);
  expect(trail()).toBe("Runs/Orders");
  expect(document.querySelector("[aria-current=page]")?.textContent).toBe("Orders");
});

it("calls no page by the name of the one before", () => {
  arriveAt("/runs/1")(<PageHeader title="Orders" />);
  cleanup();
  arriveAt("/runs/2");
  expect(trail()).toBe("Runs");
});
