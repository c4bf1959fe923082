import { Panel, Position, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { Maximize, Minus, Plus, UnfoldVertical } from "lucide-react";
import { useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { isOver } from "@/ui/state";
import { useModel } from "../journal";
import { Arrows, edgeTypes } from "./edge";
import { HandContext, type StepEdge, type StepNode } from "./hand";
import { pictureOf, type Picture, type Placed, type Routed } from "./layout";
import { nodeTypes } from "./node";
import type { Shape } from "./shape";
import { edgeKey, takenEdges } from "./taken";
import { useView } from "./view";

interface Props {
  shapes: ReadonlyMap<string, Shape>;
  open: ReadonlySet<string>;
  selected: string | undefined;
  onSelect(step: string): void;
  onOpen(open: ReadonlySet<string>): void;
}

export default function GraphPicture(props: Props) {
  return (
    <ReactFlowProvider>
      <Canvas {...props} />
    </ReactFlowProvider>
  );
}

function Canvas({ shapes, open, selected, onSelect, onOpen }: Props) {
  const { t } = useTranslation("job");
  const picture = useMemo(() => pictureOf(shapes, open), [shapes, open]);
  const nodes = useMemo(() => picture.nodes.map(nodeOf), [picture]);
  const edges = useEdges(shapes, picture);
  const large = nodes.length > MANY;
  const hand = useMemo(
    () => ({
      selected,
      onSelect,
      toggle: (step: string) => {
        const next = new Set(open);
        if (!next.delete(step)) next.add(step);
        onOpen(next);
      },
    }),
    [selected, onSelect, open, onOpen],
  );
  const { zoomIn, zoomOut } = useReactFlow();
  const { fit } = useView(picture, selected);
  const graphs = [...shapes.keys()].filter(Boolean);

  return (
    <HandContext value={hand}>
      <div
        className="overflow-hidden rounded-lg border border-line bg-surface"
        style={{ height: `clamp(22rem, ${picture.height + ROOM}px, min(74vh, 50rem))` }}
      >
        <Arrows />
        <ReactFlow
          aria-label={t("graph.picture")}
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          edgeTypes={edgeTypes}
          minZoom={0.1}
          maxZoom={1.5}
          onlyRenderVisibleElements={large}
          proOptions={{ hideAttribution: true }}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          zoomOnScroll={false}
          zoomOnDoubleClick={false}
          preventScrolling={false}
        >
          <Panel position="top-right" className="flex flex-wrap justify-end gap-1">
            {graphs.length > 0 && (
              <Button small icon={UnfoldVertical} onClick={() => onOpen(new Set(open.size > 0 ? [] : graphs))}>
                {open.size > 0 ? t("graph.close_all") : t("graph.open_all")}
              </Button>
            )}
            <Button small icon={Minus} onClick={() => void zoomOut()}>
              {t("graph.zoom_out")}
            </Button>
            <Button small icon={Plus} onClick={() => void zoomIn()}>
              {t("graph.zoom_in")}
            </Button>
            <Button small icon={Maximize} onClick={fit}>
              {t("graph.fit")}
            </Button>
          </Panel>
        </ReactFlow>
      </div>
    </HandContext>
  );
}

// For the buttons, and for air.
const ROOM = 90;
// From so many nodes on only those in view are drawn.
const MANY = 120;

/** The edges, each the same object as long as nothing of it changes: only what has is drawn again. */
function useEdges(shapes: ReadonlyMap<string, Shape>, picture: Picture): StepEdge[] {
  const { model, mark } = useModel("steps", "state");
  const over = isOver(model.state);
  const taken = useMemo(
    () => takenEdges(shapes, model.steps, model.tasks, model.state === "succeeded"),
    // `mark` stands for the model.
    [shapes, model, mark],
  );
  const before = useRef<{ picture: Picture; edges: StepEdge[] } | null>(null);
  return useMemo(() => {
    const old = before.current?.picture === picture ? before.current.edges : [];
    let same = old.length === picture.edges.length;
    const edges = picture.edges.map((routed, index) => {
      const times = taken.get(edgeKey(routed.scope, routed.source, routed.target)) ?? 0;
      const known = old[index];
      if (known?.data?.times === times && known.data.over === over) return known;
      same = false;
      return edgeOf(routed, index, times, over);
    });
    if (!same) before.current = { picture, edges };
    return same ? old : edges;
  }, [picture, taken, over]);
}

function nodeOf(placed: Placed): StepNode {
  return {
    id: placed.path,
    type: "step",
    position: { x: placed.x, y: placed.y },
    width: placed.width,
    height: placed.height,
    // Said beforehand, or each would be drawn once only to be measured.
    measured: { width: placed.width, height: placed.height },
    handles: [
      { type: "target", position: Position.Top, x: placed.width / 2, y: 0, width: 1, height: 1 },
      { type: "source", position: Position.Bottom, x: placed.width / 2, y: placed.height, width: 1, height: 1 },
    ],
    zIndex: placed.depth * 2,
    data: { placed },
  };
}

function edgeOf(routed: Routed, index: number, times: number, over: boolean): StepEdge {
  const path = (id: string) => (routed.scope ? `${routed.scope}/${id}` : id);
  const depth = routed.scope === "" ? 0 : routed.scope.split("/").length;
  return {
    id: `${index} ${edgeKey(routed.scope, routed.source, routed.target)}`,
    type: "way",
    source: path(routed.source),
    target: path(routed.target),
    zIndex: depth * 2 + 1,
    data: { routed, times, over },
  };
}
