import { Icon } from "@/components/ui/icon";
import { ROLES } from "@/lib/roles";
import { PERMISSIONS, holds } from "./permissions";

const ENTRIES = Object.entries(PERMISSIONS);

/** Every permission beside every role: what exactly somebody gets with one. */
export function RoleMatrix() {
  return (
    <div tabIndex={0} role="group" aria-label="What each role may do" className="relative overflow-x-auto rounded-control border border-line bg-surface">
      <table aria-label="Roles and permissions" className="w-full text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th scope="col" className="px-3 py-2 font-normal">
              May
            </th>
            {ROLES.map((role) => (
              <th key={role} scope="col" className="w-20 px-2 py-2 text-center font-normal">
                {role}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {ENTRIES.map(([name, permission]) => (
            <tr key={name} className="border-t border-line">
              <th scope="row" title={name} className="min-w-40 px-3 py-1.5 font-normal">
                {permission.may}
              </th>
              {ROLES.map((role) => (
                <td key={role} className="px-2 text-center">
                  {holds(role, permission) ? <Yes /> : <No />}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Yes() {
  return (
    <span className="flex justify-center">
      <Icon name="check" />
      <span className="sr-only">yes</span>
    </span>
  );
}

function No() {
  return (
    <>
      <span aria-hidden="true" className="text-ink-3">
        –
      </span>
      <span className="sr-only">no</span>
    </>
  );
}
