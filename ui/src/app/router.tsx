import {
  Outlet,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { Toasts } from "@/components/ui/toasts";
import { publicApi, unwrap } from "@/lib/api";
import { readSearchText } from "@/lib/search-text";
import { startSession } from "@/lib/session";
import { readRunFilters } from "@/pages/runs/filters";
import { readNext } from "@/pages/sign-in/next";
import { NotFound } from "./not-found";
import { Shell } from "./shell";

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFound,
});

function isSetupNeeded(): Promise<boolean> {
  return unwrap(publicApi.GET("/v1/setup")).then((answer) => answer.needed);
}

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  beforeLoad: async () => {
    if (!(await isSetupNeeded())) throw redirect({ to: "/" });
  },
  component: lazyRouteComponent(() => import("@/pages/setup/setup-page"), "SetupPage"),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/signin",
  validateSearch: (search: Record<string, unknown>): { next?: string } => {
    const next = readNext(search["next"]);
    return next === undefined ? {} : { next };
  },
  beforeLoad: async ({ search }) => {
    if ((await startSession()) === "signed-in") throw redirect({ href: readNext(search.next) ?? "/", replace: true });
    if (await isSetupNeeded()) throw redirect({ to: "/setup" });
  },
  component: lazyRouteComponent(() => import("@/pages/sign-in/sign-in-page"), "SignInPage"),
});

/** Everything for which one must be signed in. */
const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: async ({ location }) => {
    if ((await startSession()) === "signed-in") return;
    throw redirect({ to: "/signin", search: location.href === "/" ? {} : { next: location.href }, replace: true });
  },
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/workflows", replace: true });
  },
});

const workflows = createRoute({
  getParentRoute: () => signedIn,
  path: "/workflows",
  validateSearch: (search: Record<string, unknown>): { q?: string } => {
    const q = readSearchText(search["q"]);
    return q === undefined ? {} : { q };
  },
  component: lazyRouteComponent(() => import("@/pages/workflows/workflows-page"), "WorkflowsPage"),
});

const runs = createRoute({
  getParentRoute: () => signedIn,
  path: "/runs",
  validateSearch: readRunFilters,
  component: lazyRouteComponent(() => import("@/pages/runs/runs-page"), "RunsPage"),
});

const run = createRoute({
  getParentRoute: () => signedIn,
  path: "/runs/$runId",
  component: lazyRouteComponent(() => import("@/pages/run/run-page"), "RunPage"),
});

/** The design system, for those who work on it: no part of what is built. */
const catalogue = import.meta.env.DEV
  ? [
      createRoute({
        getParentRoute: () => root,
        path: "/catalogue",
        component: lazyRouteComponent(() => import("@/pages/catalogue/catalogue-page"), "CataloguePage"),
      }),
    ]
  : [];

export const router = createRouter({
  routeTree: root.addChildren([
    setup,
    signIn,
    signedIn.addChildren([home, workflows, runs, run]),
    ...(catalogue as []),
  ]),
  defaultPreload: "intent",
  defaultPendingComponent: LoadingRows,
  defaultErrorComponent: ({ error, reset }) => <ErrorState isPage error={error} onRetry={reset} />,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
