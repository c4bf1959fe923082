import { Link } from "@tanstack/react-router";
import { ArrowLeft, FolderOpen } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Artifact } from "@/api/client";
import { useMedia } from "@/lib/media";
import { Empty } from "@/ui/notices";
import { FileList } from "./list";
import { Preview } from "./preview";

/** The files that a job has made, and one of them opened beside the list; on a phone, in its place. */
export function FilesView({ artifacts, file }: { artifacts: Artifact[]; file: string | undefined }) {
  const { t } = useTranslation("results");
  const isWide = useMedia("(min-width: 64rem)");
  const shown = artifacts.find((each) => each.name === file);
  if (artifacts.length === 0) {
    return (
      <Empty icon={FolderOpen} title={t("files.none")}>
        {t("files.none_hint")}
      </Empty>
    );
  }
  if (!shown) return <FileList artifacts={artifacts} chosen={undefined} />;
  if (!isWide) {
    return (
      <>
        <Link
          to="/jobs/$jobId"
          params={{ jobId: shown.job_id }}
          search={(old) => ({ ...old, file: undefined })}
          resetScroll={false}
          preload={false}
          className="mb-3 inline-flex items-center gap-1.5 py-1 text-sm font-medium text-accent-text"
        >
          <ArrowLeft aria-hidden size={16} />
          {t("files.all", { count: artifacts.length })}
        </Link>
        <Preview key={shown.name} artifact={shown} />
      </>
    );
  }
  return (
    <div className="grid grid-cols-[minmax(16rem,24rem)_minmax(0,1fr)] items-start gap-5">
      <FileList artifacts={artifacts} chosen={shown.name} />
      <Preview key={shown.name} artifact={shown} />
    </div>
  );
}
