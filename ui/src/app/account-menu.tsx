import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { IconButton } from "@/components/ui/button";
import { Menu, MenuItem, MenuLabel, MenuLine, MenuLink } from "@/components/ui/menu";
import { toast } from "@/components/ui/toasts";
import { api, unwrap } from "@/lib/api";
import { mayLeave } from "@/lib/leave";
import { meQuery } from "@/lib/me";
import { describeError } from "@/lib/problem";
import { endSession } from "@/lib/session";

/** Who is signed in, and the way out. */
export function AccountMenu() {
  const me = useQuery(meQuery).data;
  const router = useRouter();
  const signOut = async () => {
    // Before the call: whoever stays for something unsaved stays signed in.
    if (!(await mayLeave(router.history))) return;
    try {
      await unwrap(api.POST("/v1/auth/logout", { body: {} }));
    } catch (error) {
      toast("failed", `You are still signed in. ${describeError(error)}`);
      return;
    }
    endSession();
    await router.navigate({ to: "/signin", ignoreBlocker: true });
  };
  return (
    <Menu trigger={<IconButton label="Account" icon="user" />}>
      {me !== undefined && (
        <div className="px-2 pt-1 pb-1.5">
          <p className="truncate font-semibold">{me.user.name}</p>
          <p className="truncate text-xs text-ink-3">{me.user.email}</p>
        </div>
      )}
      <MenuLabel>Role: {me?.role ?? "unknown"}</MenuLabel>
      <MenuLine />
      <MenuItem icon="settings" onSelect={() => void router.navigate({ to: "/settings" })}>
        Settings
      </MenuItem>
      <MenuLink icon="braces" href="/docs/api">
        API reference
      </MenuLink>
      <MenuItem icon="signOut" onSelect={() => void signOut()}>
        Sign out
      </MenuItem>
    </Menu>
  );
}
