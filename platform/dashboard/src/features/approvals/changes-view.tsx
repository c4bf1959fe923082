import { useTranslation } from "react-i18next";
import { changesOf, wordsOf } from "./changes";

const asText = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));

/** What was changed of what was proposed: place by place, texts word by word. */
export function Changes({ before, after }: { before: unknown; after: unknown }) {
  const { t } = useTranslation("approvals");
  const changes = changesOf(before, after);
  if (changes.length === 0) return <p className="text-sm text-soft">{t("changes.none")}</p>;
  return (
    <dl className="space-y-2 rounded-md border border-line bg-ground p-3 text-sm" aria-label={t("changes.label")}>
      {changes.map((change) => (
        <div key={change.path}>
          {change.path && <dt className="font-mono text-[0.85em] text-soft">{change.path}</dt>}
          <dd className="[overflow-wrap:anywhere] whitespace-pre-wrap">
            {typeof change.before === "string" && typeof change.after === "string" ? (
              wordsOf(change.before, change.after).map((word, index) =>
                word.kind === "same" ? <span key={index}>{word.text}</span> : <Part key={index} kind={word.kind} text={word.text} />,
              )
            ) : (
              <>
                {change.before !== undefined && <Part kind="gone" text={asText(change.before)} />}{" "}
                {change.after !== undefined && <Part kind="new" text={asText(change.after)} />}
              </>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Part({ kind, text }: { kind: "gone" | "new"; text: string }) {
  return kind === "gone" ? (
    <del className="rounded-sm bg-bad-soft text-bad">{text}</del>
  ) : (
    <ins className="rounded-sm bg-good-soft text-good no-underline">{text}</ins>
  );
}
