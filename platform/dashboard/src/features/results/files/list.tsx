import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Download, File, FileArchive, FileCode, FileImage, FileJson, FileText, type LucideIcon } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Artifact } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { buttonClass } from "@/ui/button";
import { Input } from "@/ui/field";
import { artifactUrl } from "../queries";
import { kindOf, partsOf, typeOf, type Kind } from "./kinds";

const ROW = 54;
const FEW = 12;
const ICONS: Record<Kind, LucideIcon> = {
  image: FileImage,
  markdown: FileText,
  json: FileJson,
  text: FileCode,
  archive: FileArchive,
  pdf: FileText,
  maybe: File,
  none: File,
};

/** The files of a job, of which one can be chosen; only those in view are drawn. */
export function FileList({ artifacts, chosen, className }: { artifacts: Artifact[]; chosen: string | undefined; className?: string }) {
  const { t } = useTranslation("results");
  const [wanted, setWanted] = useState("");
  const shown = useMemo(
    () => artifacts.filter((each) => each.name.toLowerCase().includes(wanted.toLowerCase())),
    [artifacts, wanted],
  );
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
    // Before the box has been measured, as many as fit into it.
    initialRect: { width: 0, height: 900 },
  });
  const at = shown.findIndex((each) => each.name === chosen);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [virtual, at]);
  return (
    <div className={className}>
      {artifacts.length > FEW && (
        <Input
          type="search"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
          aria-label={t("files.filter")}
          placeholder={t("files.filter")}
          className="mb-2"
        />
      )}
      {shown.length === 0 ? (
        <p className="py-6 text-center text-sm text-soft">{t("files.no_match")}</p>
      ) : (
        <div ref={box} tabIndex={0} role="region" aria-label={t("files.title")} className="max-h-[72dvh] overflow-auto rounded-lg border border-line bg-surface">
          <ul className="relative" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => (
              <Row key={shown[item.index]!.name} artifact={shown[item.index]!} isChosen={shown[item.index]!.name === chosen} top={item.start} />
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function Row({ artifact, isChosen, top }: { artifact: Artifact; isChosen: boolean; top: number }) {
  const { t } = useTranslation("results");
  const { t: common } = useTranslation();
  const format = useFormat();
  const [folder, base] = partsOf(artifact.name);
  const Icon = ICONS[kindOf(artifact)];
  return (
    <li
      data-artifact={artifact.name}
      style={{ height: ROW, transform: `translateY(${top}px)` }}
      className={cx("absolute inset-x-0 flex items-center border-b border-line pr-2 last:border-b-0", isChosen ? "bg-accent-soft" : "hover:bg-hover")}
    >
      <Link
        to="/jobs/$jobId"
        params={{ jobId: artifact.job_id }}
        search={(old) => ({ ...old, view: "files", file: artifact.name })}
        resetScroll={false}
        preload={false}
        aria-current={isChosen || undefined}
        title={artifact.name}
        className="flex h-full min-w-0 flex-1 items-center gap-3 px-3 -outline-offset-2"
      >
        <Icon aria-hidden size={18} strokeWidth={1.7} className="shrink-0 text-soft" />
        <span className="min-w-0">
          <span className="flex text-sm">
            <span className="truncate text-soft">{folder}</span>
            <span className="max-w-full shrink-0 truncate font-medium">{base}</span>
          </span>
          <span className="block truncate text-[0.8rem] text-soft">
            {format.bytes(artifact.size)} · {typeOf(artifact.media_type)}
          </span>
        </span>
      </Link>
      <a
        href={artifactUrl(artifact.job_id, artifact.name)}
        download
        aria-label={t("files.save", { name: artifact.name })}
        className={buttonClass("quiet", true)}
      >
        <Download aria-hidden size={14} />
        <span className="max-sm:sr-only">{common("action.download")}</span>
      </a>
    </li>
  );
}
