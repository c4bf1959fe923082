import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Artifact, Job } from "@/api/client";
import { useModel, useStream } from "@/features/job/journal";
import type { LineChange } from "../code/compare";
import { contentQuery, jsonQuery } from "../queries";
import { conversionsIn, readConversion, type Conversion, type ConvertedFile } from "./conversion";
import { bytesAsText, readPatches, textAsBytes, undone, type FilePatch } from "./patch";
import { Zip } from "./zip";

function useJson(artifacts: Artifact[], name: string) {
  return useQuery(jsonQuery(artifacts.find((each) => each.name === name)));
}

/** All that is known of a job's conversion. What its steps said of single files is in its journal, which this page reads anyway. */
export function useConversion(job: Job, artifacts: Artifact[]): { conversion: Conversion | null; error: unknown; retry(): void } {
  const inventory = useJson(artifacts, "inventory.json");
  const manifest = useJson(artifacts, "manifest.json");
  const { model, mark } = useModel("events");
  const { stream } = useStream();
  const isRead = model.lastSeq >= job.last_seq || stream === "refused" || stream === "ended";
  const said = useMemo(() => (isRead ? conversionsIn(model.events) : null), [isRead, model, mark]);
  const conversion = useMemo(() => {
    if (!said || inventory.isLoading || manifest.isLoading) return null;
    return readConversion(said, inventory.data, manifest.data, job.output);
  }, [said, inventory.isLoading, inventory.data, manifest.isLoading, manifest.data, job.output]);
  const failed = [inventory, manifest].find((each) => each.isError);
  return { conversion, error: failed?.error, retry: () => void failed?.refetch() };
}

/** A file before and after, as text. */
export interface Pair {
  before: string;
  after: string;
  added: number;
  removed: number;
  /** Which lines differ, as the job's diff says. */
  changes: readonly LineChange[];
  /** What was rebuilt from the diff has the hash of the file that came in; null where that cannot be told. */
  isOriginal: boolean | null;
}

function decoded(bytes: Uint8Array<ArrayBuffer>, encoding: string | null): string {
  try {
    return new TextDecoder(encoding ?? "utf-8").decode(bytes);
  } catch {
    // Python knows more encodings than browsers do.
    return new TextDecoder("latin1").decode(bytes);
  }
}

async function hasHash(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean | null> {
  // Browsers hash on secure pages only.
  if (!globalThis.crypto?.subtle || sha256 === "") return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

/** Above this a file is not taken apart in a browser. */
const MOST = 50_000_000;

/** One file's content before and after. The original is the converted one with its changes undone, checked by its hash. */
export function usePair(artifacts: Artifact[], file: ConvertedFile) {
  const isChanged = file.outcome === "converted";
  const content = isChanged ? `converted/${file.path}` : "converted.zip";
  const changes = useQuery({
    ...contentQuery(isChanged ? artifacts.find((each) => each.name === "changes.diff") : undefined),
    select: patchesOf,
  });
  const kept = artifacts.find((each) => each.name === content);
  const isHere = kept !== undefined && kept.size <= MOST && (isChanged || file.after.size <= MOST);
  const result = useQuery(contentQuery(isHere ? kept : undefined));
  const pair = useQuery({
    queryKey: ["conversion", artifacts[0]?.job_id, file.path, file.after.sha256],
    enabled: result.isSuccess && (!isChanged || !changes.isLoading),
    staleTime: Infinity,
    queryFn: async (): Promise<Pair> => {
      const { bytes } = result.data ?? { bytes: new Uint8Array() };
      if (!isChanged) {
        const same = decoded(await new Zip(bytes).read(file.path), file.encoding);
        return { before: same, after: same, added: 0, removed: 0, changes: [], isOriginal: null };
      }
      const patch: FilePatch = changes.data?.get(file.path) ?? { hunks: [], changes: [], added: 0, removed: 0 };
      const original = textAsBytes(undone(bytesAsText(bytes), patch));
      return {
        before: decoded(original, file.encoding),
        after: decoded(bytes, file.encoding),
        added: patch.added,
        removed: patch.removed,
        changes: patch.changes,
        isOriginal: await hasHash(original, file.before.sha256),
      };
    },
  });
  const failed = [changes, result, pair].find((each) => each.isError);
  return { pair: pair.data, isHere, error: failed?.error, retry: () => void failed?.refetch() };
}

const patchesOf = ({ bytes }: { bytes: Uint8Array }): Map<string, FilePatch> => readPatches(bytesAsText(bytes));
