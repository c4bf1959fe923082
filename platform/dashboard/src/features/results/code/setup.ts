import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";
import { Decoration, EditorView, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** The editor in this page's colours; both themes come by themselves, as the colours are custom properties. */
const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "0.82rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono, ui-monospace, monospace)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-soft)", borderRight: "1px solid var(--line)" },
  ".cm-content": { caretColor: "transparent" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground, ::selection": { backgroundColor: "var(--accent-soft) !important" },
  ".cm-changeGutter": { width: "3px", paddingLeft: "0" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "color-mix(in srgb, var(--bad-soft) 45%, transparent)" },
  "&.cm-merge-b .cm-changedLine, .cm-inlineChangedLine": { backgroundColor: "color-mix(in srgb, var(--good-soft) 45%, transparent)" },
  "&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText": { background: "var(--bad-soft)", borderRadius: "2px" },
  "&.cm-merge-b .cm-changedText, & .cm-changedText": { background: "var(--good-soft)", borderRadius: "2px" },
  "&.cm-merge-a .cm-changedLineGutter, .cm-deletedLineGutter": { background: "var(--bad)" },
  "&.cm-merge-b .cm-changedLineGutter, & .cm-changedLineGutter": { background: "var(--good)" },
  ".cm-collapsedLines": {
    color: "var(--ink-soft)",
    background: "var(--sunken)",
    borderBlock: "1px solid var(--line)",
    padding: "3px 8px",
    fontFamily: "var(--font-sans, sans-serif)",
    cursor: "pointer",
  },
  ".cm-noted": { boxShadow: "inset 3px 0 0 var(--paused)", backgroundColor: "color-mix(in srgb, var(--paused-soft) 60%, transparent)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.controlKeyword], color: "var(--waiting)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--good)" },
  { tag: [tags.comment, tags.meta], color: "var(--ink-soft)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--running)" },
  { tag: [tags.definition(tags.variableName), tags.function(tags.variableName), tags.className, tags.typeName], color: "var(--accent-text)" },
  { tag: [tags.propertyName, tags.attributeName], color: "var(--spent)" },
  { tag: tags.inserted, color: "var(--good)" },
  { tag: tags.deleted, color: "var(--bad)" },
  { tag: tags.heading, color: "var(--running)", fontWeight: "600" },
]);

/** What every code view has: numbered lines that wrap, to be read and copied, never changed. */
export function reading(label: string, phrases: Record<string, string> = {}): Extension[] {
  return [
    theme,
    syntaxHighlighting(colours),
    lineNumbers(),
    EditorView.lineWrapping,
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    EditorState.phrases.of(phrases),
    EditorView.contentAttributes.of({ tabindex: "0", "aria-label": label, "aria-readonly": "true" }),
  ];
}

/** The language of a file by its name, loaded when a file of it is first shown; none, and no colours, if it does not come. */
export const languageOf = (name: string): Promise<Extension> => loadLanguage(name).catch(() => []);

async function loadLanguage(name: string): Promise<Extension> {
  const suffix = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  if (/^pyw?i?$/.test(suffix)) return (await import("@codemirror/lang-python")).python();
  if (suffix === "java") return (await import("@codemirror/lang-java")).java();
  if (/^(cob|cbl|cpy|cobol)$/.test(suffix)) return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/cobol")).cobol);
  if (/^(diff|patch)$/.test(suffix)) return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/diff")).diff);
  if (/^js(on)?$/.test(suffix)) return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/javascript")).json);
  if (suffix === "sql") return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/sql")).standardSQL);
  if (suffix === "sh") return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/shell")).shell);
  if (/^(xml|html?|svg)$/.test(suffix)) return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/xml")).html);
  if (/^ya?ml$/.test(suffix)) return StreamLanguage.define((await import("@codemirror/legacy-modes/mode/yaml")).yaml);
  return [];
}

/** Marks lines of a text, counted from 1. */
export function marked(text: string, lines: readonly number[]): Extension {
  const wanted = new Set(lines);
  if (wanted.size === 0) return [];
  const note = Decoration.line({ class: "cm-noted" });
  const decorations = [];
  let from = 0;
  let number = 1;
  // As the editor counts them: one character for each end of a line.
  for (const line of text.split(/\r\n?|\n/)) {
    if (wanted.has(number)) decorations.push(note.range(from));
    from += line.length + 1;
    number += 1;
  }
  return EditorView.decorations.of(Decoration.set(decorations));
}

/** Brings a line into view and puts the selection there. */
export function showLine(view: EditorView, line: number): void {
  const { from, to } = view.state.doc.line(Math.min(Math.max(1, line), view.state.doc.lines));
  view.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
}
