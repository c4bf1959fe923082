import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Input } from "@/ui/field";
import { partsOf } from "../files/kinds";
import { statusOf, toReview, type ConvertedFile } from "./conversion";
import { STATUS_LOOKS } from "./looks";
import { linesOf, treeOf, type Line } from "./tree";

const ROW = 32;
const FEW = 15;

/** The files of the tree with what became of each; only those in view are drawn. */
export function TreeView({ jobId, files, chosen, className }: { jobId: string; files: readonly ConvertedFile[]; chosen: string | undefined; className?: string }) {
  const { t } = useTranslation("results");
  const [wanted, setWanted] = useState("");
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const lines = useMemo(() => {
    const found = wanted ? files.filter((file) => file.path.toLowerCase().includes(wanted.toLowerCase())) : files;
    return linesOf(treeOf(found), wanted ? new Set() : closed);
  }, [files, wanted, closed]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 10,
    initialRect: { width: 0, height: 900 },
  });
  const at = lines.findIndex((line) => !line.folder && line.file.path === chosen);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [virtual, at]);
  const turn = (path: string) => {
    const next = new Set(closed);
    if (!next.delete(path)) next.add(path);
    setClosed(next);
  };
  return (
    <nav aria-label={t("conversion.tree")} className={className}>
      {files.length > FEW && (
        <Input type="search" value={wanted} onChange={(event) => setWanted(event.target.value)} aria-label={t("files.filter")} placeholder={t("files.filter")} className="mb-2" />
      )}
      {lines.length === 0 && <p className="py-4 text-center text-sm text-soft">{t("files.no_match")}</p>}
      <div ref={box} tabIndex={0} role="region" aria-label={t("conversion.tree")} className="max-h-[calc(100dvh-9rem)] overflow-auto rounded-lg border border-line bg-surface py-1">
        <ul className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index]!;
            return (
              <li
                key={line.folder ? `${line.folder.path}/` : line.file.path}
                className="absolute inset-x-0 flex"
                style={{ height: ROW, transform: `translateY(${item.start}px)` }}
              >
                <LineView jobId={jobId} line={line} chosen={chosen} onTurn={turn} />
              </li>
            );
          })}
        </ul>
      </div>
    </nav>
  );
}

function LineView({ jobId, line, chosen, onTurn }: { jobId: string; line: Line; chosen: string | undefined; onTurn(path: string): void }) {
  const indent = { paddingLeft: `${0.6 + line.depth * 0.85}rem` };
  if (line.folder) {
    const { path, name } = line.folder;
    const Icon = line.isOpen ? ChevronDown : ChevronRight;
    return (
      <button
        type="button"
        aria-expanded={line.isOpen}
        onClick={() => onTurn(path)}
        style={indent}
        className="flex w-full min-w-0 items-center gap-1.5 pr-3 text-left text-[0.85rem] font-medium -outline-offset-2 hover:bg-hover"
      >
        <Icon aria-hidden size={14} className="shrink-0 text-soft" />
        <span className="truncate">{name}</span>
      </button>
    );
  }
  return <FileLine jobId={jobId} file={line.file} isChosen={line.file.path === chosen} indent={indent} />;
}

function FileLine({ jobId, file, isChosen, indent }: { jobId: string; file: ConvertedFile; isChosen: boolean; indent: { paddingLeft: string } }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const status = statusOf(file);
  const { icon: Icon, text } = STATUS_LOOKS[status];
  const left = toReview(file);
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId }}
      search={(old) => ({ ...old, view: "code", file: file.path })}
      resetScroll={false}
      preload={false}
      aria-current={isChosen || undefined}
      title={file.path}
      data-file={file.path}
      data-state={status}
      style={indent}
      className={cx("flex w-full min-w-0 items-center gap-2 pr-3 text-[0.85rem] -outline-offset-2", isChosen ? "bg-accent-soft font-medium" : "hover:bg-hover")}
    >
      <Icon aria-hidden size={14} className={cx("shrink-0", text)} />
      <span className="min-w-0 flex-1 truncate">{partsOf(file.path)[1]}</span>
      <span className={cx("shrink-0 text-[0.75rem] font-normal", text)}>
        {status === "review" ? t("status.to_review", { count: left, number: format.number(left) }) : t(`status.${status}`)}
      </span>
    </Link>
  );
}
