import {
  Outlet,
  createRootRoute,
  createRoute,
  createRouter,
  redirect,
} from "@tanstack/react-router";
import { LoadingRows } from "@/components/ui/states";
import { Toasts } from "@/components/ui/toasts";
import { publicApi, unwrap } from "@/lib/api";
import { focusPage } from "@/lib/lost-focus";
import { readSearchText } from "@/lib/search-text";
import { adoptSession, startSession } from "@/lib/session";
import { readApprovalFilters } from "@/pages/approvals/filters";
import { readAuditFilters } from "@/pages/audit/filters";
import { readOutcome } from "@/pages/connections/outcome";
import { readWindow } from "@/pages/dashboard/window";
import { readCompareSearch } from "@/pages/compare/search";
import { readInboundFilters } from "@/pages/inbound-events/filters";
import { readRunSearch } from "@/pages/run/search";
import { readRunFilters } from "@/pages/runs/filters";
import { readNext, readSignIn } from "@/pages/sign-in/next";
import { readWorkflowSearch } from "@/pages/workflow/search";
import { Arrival } from "./arrival";
import { lazyPage } from "./lazy-page";
import { MovedStrip } from "./moved-strip";
import { NotFound } from "./not-found";
import { RouteError } from "./route-error";
import { Shell } from "./shell";

function readSearch(search: Record<string, unknown>): { q?: string } {
  const q = readSearchText(search["q"]);
  return q === undefined ? {} : { q };
}

const root = createRootRoute({
  component: () => (
    <>
      <MovedStrip />
      <Outlet />
      <Toasts />
      <Arrival />
    </>
  ),
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
  component: lazyPage(() => import("@/pages/setup/setup-page"), "SetupPage"),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/signin",
  validateSearch: readSignIn,
  beforeLoad: async ({ search }) => {
    const status = search.signed_in === "oidc" ? await adoptSession() : await startSession();
    if (status === "signed-in") {
      // Whoever is in already has linked a provider, or tried to.
      if (search.error !== undefined) (await import("@/pages/sign-in/outcome")).tellOutcome(search.error);
      throw redirect({ href: readNext(search.next) ?? "/", replace: true });
    }
    if (await isSetupNeeded()) throw redirect({ to: "/setup" });
  },
  component: lazyPage(() => import("@/pages/sign-in/sign-in-page"), "SignInPage"),
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
  validateSearch: readWindow,
  component: lazyPage(() => import("@/pages/dashboard/dashboard-page"), "DashboardPage"),
});

const workflows = createRoute({
  getParentRoute: () => signedIn,
  path: "/workflows",
  validateSearch: readSearch,
  component: lazyPage(() => import("@/pages/workflows/workflows-page"), "WorkflowsPage"),
});

const workflow = createRoute({
  getParentRoute: () => signedIn,
  path: "/workflows/$workflowId",
  validateSearch: readWorkflowSearch,
  component: lazyPage(() => import("@/pages/workflow/workflow-page"), "WorkflowPage"),
});

const runs = createRoute({
  getParentRoute: () => signedIn,
  path: "/runs",
  validateSearch: readRunFilters,
  component: lazyPage(() => import("@/pages/runs/runs-page"), "RunsPage"),
});

const run = createRoute({
  getParentRoute: () => signedIn,
  path: "/runs/$runId",
  validateSearch: readRunSearch,
  component: lazyPage(() => import("@/pages/run/run-page"), "RunPage"),
});

const compare = createRoute({
  getParentRoute: () => signedIn,
  path: "/runs/compare",
  validateSearch: readCompareSearch,
  component: lazyPage(() => import("@/pages/compare/compare-page"), "ComparePage"),
});

const inboundEvents = createRoute({
  getParentRoute: () => signedIn,
  path: "/events",
  validateSearch: readInboundFilters,
  component: lazyPage(() => import("@/pages/inbound-events/inbound-events-page"), "InboundEventsPage"),
});

const settings = createRoute({
  getParentRoute: () => signedIn,
  path: "/settings",
  component: lazyPage(() => import("@/pages/settings/settings-page"), "SettingsPage"),
});

const apiKeys = createRoute({
  getParentRoute: () => signedIn,
  path: "/api-keys",
  component: lazyPage(() => import("@/pages/api-keys/api-keys-page"), "ApiKeysPage"),
});

const audit = createRoute({
  getParentRoute: () => signedIn,
  path: "/audit",
  validateSearch: readAuditFilters,
  component: lazyPage(() => import("@/pages/audit/audit-page"), "AuditPage"),
});

const operations = createRoute({
  getParentRoute: () => signedIn,
  path: "/operations",
  component: lazyPage(() => import("@/pages/operations/operations-page"), "OperationsPage"),
});

const approvals = createRoute({
  getParentRoute: () => signedIn,
  path: "/approvals",
  validateSearch: readApprovalFilters,
  component: lazyPage(() => import("@/pages/approvals/approvals-page"), "ApprovalsPage"),
});

const connections = createRoute({
  getParentRoute: () => signedIn,
  path: "/connections",
  validateSearch: readOutcome,
  component: lazyPage(() => import("@/pages/connections/connections-page"), "ConnectionsPage"),
});

const connection = createRoute({
  getParentRoute: () => signedIn,
  path: "/connections/$connectionId",
  component: lazyPage(() => import("@/pages/connections/connection-page"), "ConnectionPage"),
});

const variables = createRoute({
  getParentRoute: () => signedIn,
  path: "/variables",
  validateSearch: readSearch,
  component: lazyPage(() => import("@/pages/variables/variables-page"), "VariablesPage"),
});

const members = createRoute({
  getParentRoute: () => signedIn,
  path: "/members",
  component: lazyPage(() => import("@/pages/members/members-page"), "MembersPage"),
});

/** Whatever else stands in the address: whoever is in finds a way on from it, and strangers are asked to sign in first. */
const elsewhere = createRoute({
  getParentRoute: () => signedIn,
  path: "$",
  component: NotFound,
});

/** Where the link of an invitation leads; its token stands behind the `#`. */
const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitation",
  component: lazyPage(() => import("@/pages/invitation/invitation-page"), "InvitationPage"),
});

/** The design system, for those who work on it: no part of what is built. */
const catalogue = import.meta.env.DEV
  ? [
      createRoute({
        getParentRoute: () => root,
        path: "/catalogue",
        component: lazyPage(() => import("@/pages/catalogue/catalogue-page"), "CataloguePage"),
      }),
    ]
  : [];

export const router = createRouter({
  routeTree: root.addChildren([
    setup,
    signIn,
    invitation,
    signedIn.addChildren([home, workflows, workflow, runs, run, compare, inboundEvents, settings, apiKeys, audit, operations, approvals, connections, connection, variables, members, elsewhere]),
    ...(catalogue as []),
  ]),
  defaultPreload: "intent",
  defaultPendingComponent: LoadingRows,
  defaultErrorComponent: RouteError,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

// Not of the page that a browser has just loaded: there, nothing had the focus.
router.subscribe("onRendered", ({ fromLocation, pathChanged }) => {
  if (fromLocation !== undefined && pathChanged) focusPage();
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
