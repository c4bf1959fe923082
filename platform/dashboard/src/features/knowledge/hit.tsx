import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { pieces } from "@/lib/spans";
import { Bar } from "@/ui/bar";
import type { Hit } from "./queries";
import { wordsIn } from "./words";

// How many candidates a retriever brings by default: the bar of the first one is full, that of the last one all but empty,
// and by logarithm, as the first few matter most.
const CANDIDATES = 40;
const weight = (rank: number) => Math.max(0.01, 1 - Math.log(rank) / Math.log(CANDIDATES + 1));

/** A passage that was found: where it stands, its text, and how each retriever has ranked it. */
export function HitRow({ hit, rank, query }: { hit: Hit; rank: number; query: string }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const cut = useMemo(() => pieces(hit.text, wordsIn(hit.text, query)), [hit.text, query]);
  return (
    <li className="grid gap-x-6 gap-y-3 rounded-lg border border-line bg-surface p-4 md:grid-cols-[1fr_13rem]">
      <div className="min-w-0">
        <div className="flex flex-wrap items-baseline gap-x-2 text-sm">
          <span className="font-semibold text-soft">{rank}.</span>
          <Link
            to="/documents/$documentId"
            params={{ documentId: hit.document.id }}
            search={{ start: hit.start, end: hit.end }}
            className="font-medium break-all text-accent-text underline-offset-2 hover:underline"
          >
            {hit.document.name}
          </Link>
          <span className="text-soft">{t("page", { page: format.number(hit.page) })}</span>
          {hit.heading && <span className="min-w-0 break-words text-soft">· {hit.heading}</span>}
        </div>
        <p className="mt-2 max-w-[80ch] text-sm leading-relaxed break-words whitespace-pre-line">
          {cut.map((piece, index) =>
            piece.marked ? (
              <mark key={index} className="rounded-xs bg-accent-soft px-0.5 text-accent-text">
                {piece.text}
              </mark>
            ) : (
              piece.text
            ),
          )}
        </p>
      </div>
      <dl className="space-y-2 text-[0.8rem]">
        <div className="flex justify-between gap-2">
          <dt className="text-soft">{t("query.score")}</dt>
          <dd className="font-medium">{format.money(hit.score)}</dd>
        </div>
        <Rank name={t("query.keyword")} rank={hit.keyword_rank} />
        <Rank name={t("query.dense")} rank={hit.dense_rank} />
      </dl>
    </li>
  );
}

function Rank({ name, rank }: { name: string; rank: number | null }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  return (
    <div className="grid grid-cols-2 gap-y-1">
      <dt className="text-soft">{name}</dt>
      <dd className="text-right font-medium">{rank === null ? t("query.not_found") : t("query.rank", { rank: format.number(rank) })}</dd>
      <dd className="col-span-2">
        <Bar value={rank === null ? 0 : weight(rank)} max={1} />
      </dd>
    </div>
  );
}
