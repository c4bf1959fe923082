import { getChunks, getOriginalDoc, goToNextChunk, goToPreviousChunk, MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";
import { comparing, type LineChange } from "./compare";
import { languageOf, marked, reading, showLine } from "./setup";

export interface MergeHandle {
  next(): void;
  previous(): void;
  /** Shows a line of the original, from 1. */
  goTo(line: number): void;
}

interface Props {
  before: string;
  after: string;
  /** Which lines differ, where that is known. */
  changes: readonly LineChange[];
  /** Of the file: tells its language. */
  name: string;
  labels: { before: string; after: string; unchanged: string };
  /** Lines of the original that somebody should look at. */
  noted: readonly number[];
  /** Both texts in one pane, where two have no room. */
  unified: boolean;
  /** Leave long unchanged parts out. */
  collapse: boolean;
  onCount(changes: number): void;
  ref: Ref<MergeHandle>;
}

const COLLAPSED = { margin: 3, minSize: 6 };

/** Source and target side by side, line against line; they scroll as one. */
export default function CodeMerge({ before, after, changes, name, labels, noted, unified, collapse, onCount, ref }: Props) {
  const host = useRef<HTMLDivElement>(null);
  // The panes with the original's lines and with the result's; one and the same where they are unified.
  const views = useRef<{ old: EditorView | null; now: EditorView } | null>(null);
  const { before: beforeLabel, after: afterLabel, unchanged } = labels;

  useEffect(() => {
    let isGone = false;
    let destroy = () => {};
    void languageOf(name).then((language) => {
      const parent = host.current;
      if (isGone || !parent) return;
      const diffConfig = comparing(changes);
      const phrases = { "$ unchanged lines": unchanged };
      const collapseUnchanged = collapse ? { collapseUnchanged: COLLAPSED } : {};
      const now = [...reading(afterLabel, phrases), language];
      if (unified) {
        const merge = unifiedMergeView({ original: before, mergeControls: false, diffConfig, ...collapseUnchanged });
        const view = new EditorView({ state: EditorState.create({ doc: after, extensions: [now, merge] }), parent });
        views.current = { old: null, now: view };
        destroy = () => view.destroy();
      } else {
        const merge = new MergeView({
          a: { doc: before, extensions: [...reading(beforeLabel, phrases), language, marked(before, noted)] },
          b: { doc: after, extensions: now },
          parent,
          diffConfig,
          ...collapseUnchanged,
        });
        views.current = { old: merge.a, now: merge.b };
        destroy = () => merge.destroy();
      }
      onCount(getChunks(views.current.now.state)?.chunks.length ?? 0);
    });
    return () => {
      isGone = true;
      views.current = null;
      destroy();
    };
  }, [before, after, changes, name, beforeLabel, afterLabel, unchanged, noted, unified, collapse, onCount]);

  useImperativeHandle(ref, () => ({
    next: () => void (views.current && goToNextChunk(views.current.now)),
    previous: () => void (views.current && goToPreviousChunk(views.current.now)),
    goTo: (line) => {
      if (views.current?.old) showLine(views.current.old, line);
      else if (views.current) showLine(views.current.now, lineInResult(views.current.now.state, line));
    },
  }));
  return <div ref={host} className="max-h-[75dvh] min-h-24 overflow-auto rounded-b-lg" />;
}

/** Where a line of the original went: in one pane only the result's lines can be gone to. */
function lineInResult(state: EditorState, line: number): number {
  const original = getOriginalDoc(state);
  const at = original.line(Math.min(Math.max(1, line), original.lines)).from;
  let shift = 0;
  for (const chunk of getChunks(state)?.chunks ?? []) {
    if (chunk.fromA > at) break;
    if (at < chunk.toA) return state.doc.lineAt(Math.min(chunk.fromB, state.doc.length)).number;
    shift = chunk.toB - chunk.toA;
  }
  return state.doc.lineAt(Math.min(at + shift, state.doc.length)).number;
}
