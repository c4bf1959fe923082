import { memo, Suspense, useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { lazyComponent } from "@/lib/lazy-component";
import { useMedia } from "@/lib/media";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { useModel } from "../journal";
import { usePlace } from "../place";
import { useVersion } from "../queries";
import { isIn, shapesOf, type Shape } from "./shape";
import { StepTree } from "./tree";

const GraphPicture = lazyComponent(() => import("./picture"));
// With the page: it is what most look at first.
void GraphPicture.preload();
// Up to so many nodes everything is shown at once.
const FEW = 9;

/** The job's graph as a picture, and beside it the same as a list; on a phone the list alone. */
export const GraphPane = memo(function GraphPane({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { look, go } = usePlace();
  const version = useVersion(job);
  const shapes = useShapes(version.data);
  const [chosen, setChosen] = useState<ReadonlySet<string> | null>(null);
  const open = useMemo(() => withParents(chosen ?? openAtFirst(shapes), look.step), [chosen, shapes, look.step]);
  const wide = useMedia("(min-width: 40rem)");
  const selected = look.step;
  const select = useCallback(
    (step: string) => go({ step: selected === step ? undefined : step, attempt: undefined, tab: "graph" }),
    [go, selected],
  );

  if (version.isPending) return <Skeleton lines={8} />;
  return (
    <>
      {version.isError && <ErrorNotice error={version.error} retry={() => void version.refetch()} className="mb-3" />}
      {shapes.size === 0 ? (
        <Empty title={t("graph.empty")}>{t("graph.empty_hint")}</Empty>
      ) : (
        <div className="grid gap-4 lg:grid-cols-[15rem_minmax(0,1fr)]">
          <StepTree shapes={shapes} selected={selected} onSelect={select} />
          {wide && (
            <div className="min-w-0">
              <Suspense fallback={<Skeleton lines={8} />}>
                <GraphPicture shapes={shapes} open={open} selected={selected} onSelect={select} onOpen={setChosen} />
              </Suspense>
            </div>
          )}
        </div>
      )}
    </>
  );
});

/** The graphs, the same object as long as nothing of their shape changes: their layout is not made for each event. */
function useShapes(workflow: Parameters<typeof shapesOf>[0]): ReadonlyMap<string, Shape> {
  const { model, mark } = useModel("steps");
  const known = useMemo(() => shapesOf(workflow, new Map()), [workflow]);
  // What is stored is asked for no more than once; only of a graph that nobody has stored each step may change the shape.
  const strange = [...model.steps.keys()].some((path) => !isIn(known, path));
  const fresh = useMemo(() => (strange ? shapesOf(workflow, model.steps) : known), [workflow, known, strange, model, strange && mark]);
  const signature = strange ? JSON.stringify([...fresh]) : "";
  return useMemo(() => fresh, [known, signature]);
}

/** What is chosen is seen: the sub-graphs round it are open. */
function withParents(open: ReadonlySet<string>, step: string | undefined): ReadonlySet<string> {
  const names = step?.split("/").slice(0, -1) ?? [];
  const parents = names.map((_, index) => names.slice(0, index + 1).join("/"));
  return parents.every((parent) => open.has(parent)) ? open : new Set([...open, ...parents]);
}

function openAtFirst(shapes: ReadonlyMap<string, Shape>): ReadonlySet<string> {
  const nodes = [...shapes.values()].reduce((sum, shape) => sum + shape.nodes.filter((node) => node.kind !== "end").length, 0);
  return new Set(nodes <= FEW ? [...shapes.keys()].filter(Boolean) : []);
}
