import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";
import type { MergeHandle } from "./merge-view";
import { languageOf, marked, reading, showLine } from "./setup";

interface Props {
  text: string;
  /** Of the file: tells its language. */
  name: string;
  label: string;
  /** Lines that somebody should look at. */
  noted?: readonly number[];
  ref?: Ref<MergeHandle>;
}

const NONE: readonly number[] = [];

/** One file with its lines numbered; whatever its length, only what is in view is drawn. */
export default function CodeView({ text, name, label, noted = NONE, ref }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  useEffect(() => {
    let isGone = false;
    void languageOf(name).then((language) => {
      if (isGone || !host.current) return;
      const state = EditorState.create({ doc: text, extensions: [...reading(label), language, marked(text, noted)] });
      view.current = new EditorView({ state, parent: host.current });
    });
    return () => {
      isGone = true;
      view.current?.destroy();
      view.current = null;
    };
  }, [text, name, label, noted]);
  useImperativeHandle(ref, () => ({
    next: () => {},
    previous: () => {},
    goTo: (line) => view.current && showLine(view.current, line),
  }));
  return <div ref={host} className="max-h-[75dvh] overflow-auto rounded-lg border border-line bg-surface" />;
}
