import { Link } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import { useTranslation } from "react-i18next";
import type { Citation } from "./report";

type Props = { jobId: string; citation: Citation } & Pick<ComponentProps<"a">, "className" | "ref">;

/** A citation's number, which opens its source. What a tooltip gives its trigger goes to the link. */
export function CitationLink({ jobId, citation, ...rest }: Props) {
  const { t } = useTranslation("results");
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId }}
      search={(old) => ({ ...old, citation: citation.number })}
      replace
      resetScroll={false}
      preload={false}
      aria-label={t("document.mark", { number: citation.number, name: citation.document.name })}
      {...rest}
    >
      {citation.number}
    </Link>
  );
}
