import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Artifact } from "@/api/client";
import { useMedia } from "@/lib/media";
import { Empty } from "@/ui/notices";
import { firstOf, type Conversion } from "./conversion";
import { FileView } from "./file-view";
import { TreeView } from "./tree-view";
import { linesOf, treeOf } from "./tree";

interface Props {
  jobId: string;
  artifacts: Artifact[];
  conversion: Conversion;
  file: string | undefined;
}

/** The tree, and one of its files beside what it was; on a phone one or the other. */
export function CodeBrowser({ jobId, artifacts, conversion, file }: Props) {
  const { t } = useTranslation("results");
  const isWide = useMedia("(min-width: 64rem)");
  const { files } = conversion;
  // In the order of the tree, so that the file after this one is the one below it.
  const order = useMemo(() => linesOf(treeOf(files), new Set()).flatMap((line) => (line.folder ? [] : [line.file])), [files]);
  const asked = order.find((each) => each.path === file);
  const shown = asked ?? (file === undefined && isWide ? firstOf(order) : undefined);
  const at = shown ? order.indexOf(shown) : -1;
  const content = shown ? (
    <FileView
      key={shown.path}
      jobId={jobId}
      artifacts={artifacts}
      conversion={conversion}
      file={shown}
      before={order[at - 1]?.path}
      after={order[at + 1]?.path}
    />
  ) : (
    <Empty title={t("conversion.no_such_file")}>{file}</Empty>
  );
  if (isWide) {
    return (
      <div className="grid grid-cols-[minmax(15rem,19rem)_minmax(0,1fr)] items-start gap-5">
        <TreeView jobId={jobId} files={files} chosen={shown?.path} className="sticky top-4" />
        {content}
      </div>
    );
  }
  if (file === undefined) return <TreeView jobId={jobId} files={files} chosen={undefined} />;
  return (
    <>
      <Link
        to="/jobs/$jobId"
        params={{ jobId }}
        search={(old) => ({ ...old, view: "code", file: undefined })}
        resetScroll={false}
        preload={false}
        className="mb-2 inline-flex items-center gap-1.5 py-1 text-sm font-medium text-accent-text"
      >
        <ArrowLeft aria-hidden size={16} />
        {t("files.all", { count: files.length })}
      </Link>
      {content}
    </>
  );
}
