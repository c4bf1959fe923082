import { FileUp, Paperclip } from "lucide-react";
import { useEffect, useRef, useState, type DragEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { uploadFile } from "@/features/submit/uploads";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Bar } from "@/ui/bar";
import { Button } from "@/ui/button";
import { useForm, type PartProps } from "./context";
import { OneField } from "./parts";

type Upload = Schemas["Upload"];

/** The id of an uploaded file: a place to drop one. */
export function UploadPart(part: PartProps) {
  const { t } = useTranslation("submit");
  const format = useFormat();
  const { disabled } = useForm();
  const [state, setState] = useState<{ file?: File; share?: number; done?: Upload; error?: string }>({});
  const [over, setOver] = useState(false);
  const stop = useRef<AbortController | null>(null);
  const picker = useRef<HTMLInputElement>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const take = async (file: File | undefined) => {
    if (!file || disabled) return;
    stop.current?.abort();
    const own = (stop.current = new AbortController());
    setState({ file, share: 0 });
    try {
      const done = await uploadFile(file, { signal: own.signal, onProgress: (share) => setState({ file, share }) });
      setState({ done });
      part.onChange(done.id);
    } catch (error) {
      if (!own.signal.aborted) setState({ error: error instanceof Error ? error.message : String(error) });
    }
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };
  const clear = () => {
    stop.current?.abort();
    setState({});
    part.onChange(undefined);
  };
  const { done, file, share } = state;
  const known = done && done.id === part.value ? done : undefined;
  return (
    <OneField part={part}>
      {(control) => (
        <div
          onDragOver={(event) => (event.preventDefault(), setOver(true))}
          onDragLeave={() => setOver(false)}
          onDrop={dropped}
          className={cx("rounded-lg border border-dashed p-4 text-sm", over ? "border-accent bg-accent-soft" : "border-line-strong/60 bg-surface")}
        >
          <input
            {...control}
            ref={picker}
            type="file"
            className="sr-only"
            tabIndex={-1}
            disabled={disabled}
            onChange={(event) => {
              void take(event.target.files?.[0]);
              event.target.value = "";
            }}
          />
          {share !== undefined && file ? (
            <div className="flex items-center gap-3">
              <Bar value={share} max={1} label={t("form.uploading", { name: file.name })} className="flex-1" />
              <span className="text-soft">{t("form.uploading", { name: file.name })}</span>
              <Button small onClick={clear}>{t("form.stop")}</Button>
            </div>
          ) : (
            <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
              {typeof part.value === "string" ? (
                <>
                  <Paperclip aria-hidden size={16} className="text-soft" />
                  <span className="min-w-0 flex-1 truncate">
                    {known ? `${known.name} · ${format.bytes(known.size)}` : t("form.upload_of_id", { id: part.value })}
                  </span>
                  <Button small disabled={disabled} onClick={clear}>{t("form.remove")}</Button>
                </>
              ) : (
                <span className="min-w-0 flex-1 text-soft">{t("form.drop")}</span>
              )}
              <Button small icon={FileUp} disabled={disabled} onClick={() => picker.current?.click()}>
                {t(typeof part.value === "string" ? "form.another_file" : "form.choose_file")}
              </Button>
            </div>
          )}
          {state.error && <p role="alert" className="mt-2 text-[0.8rem] font-medium text-bad">{state.error}</p>}
        </div>
      )}
    </OneField>
  );
}
