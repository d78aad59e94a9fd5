import { Handle, type Node, type NodeProps, Panel, Position, ReactFlow, type ReactFlowInstance, useStore as useFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type KeyboardEvent, type RefObject, memo, useEffect, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";
import { Button } from "@/components/ui/button";
import { Plate } from "@/components/ui/plate";
import { leadTo } from "@/lib/lost-focus";
import { STATUS_LOOKS } from "@/lib/status";
import { type GraphStep, NODE_HEIGHT, NODE_WIDTH, edgesOf, layOut, walk } from "./layout";
import { MarkContext, type MarkStore, labelOf, useIsSelected, useMark } from "./marks";
import { labelsOf } from "./ports";
import { type SetUp, summaryOf } from "./summary";
import { type TrackEdge, TrackLine } from "./track-line";
import { tellStep } from "./words";
import "./graph.css";

export interface CanvasStep extends GraphStep, SetUp {
  name?: string | null;
}

type StepNode = Node<{ title: string; type: string; summary: string }, "step">;
type Flow = ReactFlowInstance<StepNode, TrackEdge>;

const KINDS: Readonly<Record<string, "action" | "delay" | "choice">> = {
  delay: "delay",
  wait: "delay",
  approval: "delay",
  if: "choice",
  switch: "choice",
};
const HANDLES = [
  { type: "target" as const, position: Position.Left, x: 0, y: NODE_HEIGHT / 2, width: 1, height: 1 },
  { type: "source" as const, position: Position.Right, x: NODE_WIDTH, y: NODE_HEIGHT / 2, width: 1, height: 1 },
];
const NODE_TYPES = { step: memo(StepPlate) };
const EDGE_TYPES = { track: memo(TrackLine) };
const FIT = { padding: 0.12, maxZoom: 1 };
/** Smaller plates cannot be read: a large graph is then looked at in parts. */
const LEGIBLE_ZOOM = 0.5;
/** Below it, names are smaller than a line is thick: to draw them costs much and tells nothing. */
const FAR_ZOOM = 0.4;
const MARGIN = 24;

interface GraphCanvasProps {
  steps: readonly CanvasStep[];
  marks: MarkStore;
  /** Keys have led to it. */
  onSelect: (id: string) => void;
  /** The pointer has chosen it. */
  onPress: (id: string) => void;
  /** The id of the heading above what is told of the chosen step: Enter leads there. */
  detail: string;
}

/** The steps of a definition, to be looked at. How they stand comes from `marks` alone. */
export default function GraphCanvas({ steps, marks, onSelect, onPress, detail }: GraphCanvasProps) {
  const { nodes, edges, places, tracks } = useMemo(() => draw(steps), [steps]);
  const [flow, setFlow] = useState<Flow>();
  const box = useRef<HTMLDivElement>(null);
  const selected = useStore(marks, (state) => state.selected);
  const mark = useStore(marks, (state) => (selected === undefined ? undefined : state.marks[selected]));
  const shown = useRef<Point>(undefined);
  useEffect(() => {
    shown.current = selected === undefined ? undefined : places.get(selected);
  }, [places, selected]);
  useFit(flow, box, places.values().next().value, shown);
  useEffect(() => {
    const place = selected === undefined ? undefined : places.get(selected);
    if (flow === undefined || place === undefined || box.current === null) return;
    if (!isInSight(flow, box.current, place)) void flow.setCenter(place.x + NODE_WIDTH / 2, place.y + NODE_HEIGHT / 2, { zoom: flow.getZoom() });
  }, [flow, places, selected]);
  const move = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    if (event.key === "Enter") leadTo(detail);
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = walk(selected ?? "", event.key, places, tracks);
    if (next !== undefined) onSelect(next);
  };
  return (
    <MarkContext.Provider value={marks}>
      <div
        ref={box}
        role="group"
        aria-label="Graph. Arrow keys walk from step to step, Enter leads to what is told of one."
        tabIndex={0}
        onKeyDown={move}
        className="h-full w-full focus-visible:-outline-offset-2"
      >
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onInit={setFlow}
          onNodeClick={(_, node) => onPress(node.id)}
          onlyRenderVisibleElements
          minZoom={0.1}
          maxZoom={2}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          zoomOnScroll={false}
          zoomOnDoubleClick={false}
          preventScrolling={false}
          disableKeyboardA11y
        >
          <Panel position="bottom-left" className="flex gap-1">
            <Button onClick={() => void flow?.zoomIn()} aria-label="Zoom in">+</Button>
            <Button onClick={() => void flow?.zoomOut()} aria-label="Zoom out">−</Button>
            <Button onClick={() => void flow?.fitView(FIT)}>Fit</Button>
          </Panel>
        </ReactFlow>
        <p aria-live="polite" className="sr-only">
          {tellStep(steps, selected, mark)}
        </p>
      </div>
    </MarkContext.Provider>
  );
}

function draw(steps: readonly CanvasStep[]) {
  const tracks = edgesOf(steps);
  const places = layOut(
    steps.map((step) => step.id),
    tracks,
  );
  const nodes = steps.map((step): StepNode => ({
    id: step.id,
    type: "step",
    position: places.get(step.id) ?? { x: 0, y: 0 },
    width: NODE_WIDTH,
    height: NODE_HEIGHT,
    // React Flow fits a graph once all of it is measured, and measures only what can be seen already.
    measured: { width: NODE_WIDTH, height: NODE_HEIGHT },
    handles: HANDLES,
    data: { title: step.name ?? step.id, type: step.type, summary: summaryOf(step) },
  }));
  const labels = labelsOf(tracks);
  const rescued = new Set(tracks.filter(({ port }) => port === "error").map(({ source }) => source));
  const edges = tracks.map(({ source, target, port }): TrackEdge => {
    const label = port === undefined ? undefined : labels.get(target);
    // It stands once, also where several ports lead to the step.
    if (label !== undefined) labels.delete(target);
    return { id: `${source}.${port ?? ""}>${target}`, type: "track", source, target, data: { port, turn: places.get(target)?.turn, label, isRescued: rescued.has(source) } };
  });
  return { nodes, edges, places, tracks };
}

interface Point {
  x: number;
  y: number;
}

/** Show all of it at first and when the width changes; where that would be too small to read, the chosen step, or where it begins. */
function useFit(
  flow: Flow | undefined,
  box: RefObject<HTMLDivElement | null>,
  first: Point | undefined,
  shown: RefObject<Point | undefined>,
): void {
  useEffect(() => {
    const element = box.current;
    if (flow === undefined || element === null) return;
    let width = 0;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      void flow.fitView(FIT).then(() => {
        if (first === undefined || flow.getZoom() >= LEGIBLE_ZOOM) return;
        const chosen = shown.current;
        if (chosen !== undefined) return void flow.setCenter(chosen.x + NODE_WIDTH / 2, chosen.y + NODE_HEIGHT / 2, { zoom: 1 });
        void flow.setViewport({ x: MARGIN - first.x, y: element.clientHeight / 2 - (first.y + NODE_HEIGHT / 2), zoom: 1 });
      });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [box, first, flow, shown]);
}

function isInSight(flow: Flow, element: HTMLElement, place: Point): boolean {
  const box = element.getBoundingClientRect();
  const start = flow.flowToScreenPosition(place);
  const end = flow.flowToScreenPosition({ x: place.x + NODE_WIDTH, y: place.y + NODE_HEIGHT });
  return start.x >= box.left && start.y >= box.top && end.x <= box.right && end.y <= box.bottom;
}

function StepPlate({ id, data }: NodeProps<StepNode>) {
  const mark = useMark(id);
  const isSelected = useIsSelected(id);
  const isFar = useFlow(({ transform }) => transform[2] < FAR_ZOOM);
  const more = mark === undefined ? {} : { tone: STATUS_LOOKS[mark.status].tone, ...(mark.right === undefined ? {} : { right: mark.right }) };
  return (
    <div data-step={id}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Plate
        kind={KINDS[data.type] ?? "action"}
        title={data.title}
        summary={data.summary}
        isSelected={isSelected}
        isBare={isFar}
        isDisabled={mark?.status === "skipped"}
        {...more}
      />
      <span className="sr-only">{labelOf(mark)}</span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}
