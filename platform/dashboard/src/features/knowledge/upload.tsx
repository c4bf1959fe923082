import { FolderPlus, Upload as Arrow } from "lucide-react";
import { useRef, useState, type DragEvent } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notices";
import { UploadRow } from "./upload-row";
import { dismissStored, upload, useUploads } from "./uploads";

/** Where files are put into a collection, and what becomes of each. */
export function Upload({ collection, isNew }: { collection: string; isNew: boolean }) {
  const { t } = useTranslation("knowledge");
  const uploads = useUploads(collection);
  const stored = uploads.some((each) => each.state === "stored" || each.state === "same");
  return (
    <>
      {isNew && uploads.length === 0 && (
        <Notice title={t("upload.new", { collection })} className="mb-4">
          {t("upload.new_what")}
        </Notice>
      )}
      <DropZone onFiles={(files) => upload(collection, files)} />
      {uploads.length > 0 && (
        <section aria-label={t("upload.list")} className="mt-5">
          <div className="mb-2 flex items-center justify-between gap-2">
            <h2>{t("upload.list")}</h2>
            {stored && (
              <Button small tone="quiet" onClick={() => dismissStored(collection)}>
                {t("upload.clear")}
              </Button>
            )}
          </div>
          <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
            {uploads.map((each) => (
              <UploadRow key={each.id} upload={each} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function DropZone({ onFiles }: { onFiles(files: File[]): void }) {
  const { t } = useTranslation("knowledge");
  const input = useRef<HTMLInputElement>(null);
  // `dragleave` also comes for every element inside: entered and left ones are counted.
  const [depth, setDepth] = useState(0);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setDepth(0);
    onFiles([...event.dataTransfer.files]);
  };
  return (
    <div
      data-testid="drop"
      onDragEnter={(event) => {
        event.preventDefault();
        setDepth((now) => now + 1);
      }}
      onDragOver={(event) => event.preventDefault()}
      onDragLeave={() => setDepth((now) => Math.max(0, now - 1))}
      onDrop={drop}
      className={cx(
        "flex flex-col items-center rounded-lg border-2 border-dashed px-6 py-10 text-center transition-colors",
        depth > 0 ? "border-accent bg-accent-soft" : "border-line-strong/60 bg-surface",
      )}
    >
      {depth > 0 ? <FolderPlus aria-hidden size={28} strokeWidth={1.6} className="text-accent-text" /> : <Arrow aria-hidden size={28} strokeWidth={1.6} className="text-soft" />}
      <p className="mt-3 font-semibold">{t("upload.drop")}</p>
      <p id="upload-limits" className="mt-1 max-w-prose text-sm text-soft">
        {t("upload.limits")}
      </p>
      <Button tone="primary" className="mt-4" aria-describedby="upload-limits" onClick={() => input.current?.click()}>
        {t("upload.choose")}
      </Button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={t("upload.choose")}
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          // The same file may be chosen again.
          event.target.value = "";
        }}
      />
    </div>
  );
}
