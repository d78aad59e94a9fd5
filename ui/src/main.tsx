import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "@/app/query-client";
import { router } from "@/app/router";
import { followDensity } from "@/lib/density";
import { isServed } from "@/lib/served";
import { useSession } from "@/lib/session";
import "./styles.css";

// Another tab has signed out, or the session was ended elsewhere: what was read is nobody's business any more.
useSession.subscribe((session, before) => {
  if (session.status === "anonymous" && before.status === "signed-in") {
    queryClient.clear();
    void router.invalidate();
  }
  // Another tab has signed in: a page that asks for a sign-in leads on.
  if (session.status === "unknown" && before.status === "anonymous") void router.invalidate();
});

// A newer bundle is served than the one that this page began with: its parts are gone. Once, so as not to go round; and not where nobody
// serves any, which would leave nothing of what is there.
window.addEventListener("vite:preloadError", () => {
  if (sessionStorage.getItem("flowforge.reloaded") !== location.href) void reloadOnce();
});

async function reloadOnce(): Promise<void> {
  if (!(await isServed())) return;
  sessionStorage.setItem("flowforge.reloaded", location.href);
  location.reload();
}

followDensity();

const container = document.getElementById("root");
if (container === null) throw new Error("index.html has no #root");

createRoot(container).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
