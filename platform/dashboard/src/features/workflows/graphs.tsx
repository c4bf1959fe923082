import { useTranslation } from "react-i18next";
import { Graph, type Shape } from "./graph";

/** The graph of a workflow, and those inside of its steps. */
export default function Graphs({ graph }: { graph: unknown }) {
  const { t } = useTranslation("workflows");
  const shape = (graph ?? {}) as Shape & { subgraphs?: Record<string, Shape> };
  return (
    <div className="divide-y divide-line rounded-lg border border-line bg-surface">
      <Graph shape={shape} label={t("graph.title")} />
      {Object.entries(shape.subgraphs ?? {}).map(([path, inner]) => (
        <figure key={path}>
          <figcaption className="px-3 pt-2 text-[0.8rem] text-soft">{t("graph.inside", { path })}</figcaption>
          <Graph shape={inner} label={t("graph.inside", { path })} />
        </figure>
      ))}
    </div>
  );
}
