import { createContext, useContext } from "react";
import { type StoreApi, createStore, useStore } from "zustand";
import { STATUS_LOOKS, type StepStatus } from "@/lib/status";

/** How a step stands; kept beside the nodes, so that a change draws one plate and the tracks out of it alone. */
export interface Mark {
  status: StepStatus;
  /** The way by which it was left, where it has several. */
  port: string | null;
  /** What stands before the lamp. */
  right: string | undefined;
}

export interface Marks {
  marks: Readonly<Record<string, Mark>>;
  selected: string | undefined;
}

export type MarkStore = StoreApi<Marks>;
export const MarkContext = createContext<MarkStore | undefined>(undefined);

export function createMarks(): MarkStore {
  return createStore<Marks>(() => ({ marks: {}, selected: undefined }));
}

/** New marks; those that say the same as before stay the same objects, so that nothing of theirs is drawn again. */
export function putMarks(store: MarkStore, marks: Readonly<Record<string, Mark>>): void {
  const before = store.getState().marks;
  const kept: Record<string, Mark> = {};
  for (const [id, mark] of Object.entries(marks)) {
    const old = before[id];
    const isSame = old?.status === mark.status && old.port === mark.port && old.right === mark.right;
    kept[id] = isSame ? old : mark;
  }
  store.setState({ marks: kept });
}

export function useMark(id: string): Mark | undefined {
  return useStore(useMarkStore(), (state) => state.marks[id]);
}

export function useIsSelected(id: string): boolean {
  return useStore(useMarkStore(), (state) => state.selected === id);
}

function useMarkStore(): MarkStore {
  const store = useContext(MarkContext);
  if (store === undefined) throw new Error("A graph is drawn without its marks.");
  return store;
}

/** Ways out that are no success, although the step may have succeeded. */
const OTHER_WAYS: readonly string[] = ["rejected", "timeout", "error"];

/** Whether the run went along a track: undefined as long as nobody knows. */
export function isTaken(source: Mark | undefined, port: string | undefined): boolean | undefined {
  if (source === undefined) return undefined;
  if (!["succeeded", "failed", "skipped", "cancelled"].includes(source.status)) return undefined;
  if (port === "error") return source.status === "failed";
  if (source.status !== "succeeded") return source.status === "failed" && port !== undefined && port === source.port;
  return port === undefined ? !OTHER_WAYS.includes(source.port ?? "") : port === source.port;
}

/** "Succeeded", as the lamp's words. */
export function labelOf(mark: Mark | undefined): string {
  return mark === undefined ? "not begun" : STATUS_LOOKS[mark.status].label.toLowerCase();
}
