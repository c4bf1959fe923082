import type { ReactNode } from "react";

/** What a workflow or a field says of itself, with its `words of code` as such. */
export function Described({ text }: { text: string }) {
  return text.split("`").map((part, index) =>
    index % 2 === 1 ? (
      <code key={index} className="font-mono text-[0.92em]">
        {part}
      </code>
    ) : (
      part
    ),
  );
}

/** The same for what may be a text. */
export const described = (what: ReactNode): ReactNode => (typeof what === "string" ? <Described text={what} /> : what);
