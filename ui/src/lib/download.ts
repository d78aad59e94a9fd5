import { authorizedFetch } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";
import { readProblem } from "@/lib/session";

/** Save what an address of the API gives as a file, under the name that the answer says, or else under `name`. */
export async function downloadFile(address: string, name: string): Promise<void> {
  const response = await authorizedFetch(new Request(new URL(address, location.origin)));
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  const named = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  saveBlob(await response.blob(), named ?? name);
}

/** Have the browser save this as a file. */
export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // At once, it would be gone before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
