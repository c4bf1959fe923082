import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field, Input, Select } from "@/ui/field";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { HitRow } from "./hit";
import { searchQuery, type Found } from "./queries";

const LIMITS = [8, 20, 50];

/** What the agents would find: a query, and the passages for it with how each was found. */
export function TestQuery({ collection, query }: { collection: string; query: string }) {
  const { t } = useTranslation("knowledge");
  const navigate = useNavigate({ from: "/knowledge/$collection" });
  const [text, setText] = useState(query);
  const [limit, setLimit] = useState(LIMITS[0]!);
  const { data, error, isFetching, refetch } = useQuery({ ...searchQuery(collection, query, limit), enabled: query !== "" });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted === query) void refetch();
    else if (wanted) void navigate({ search: (before) => ({ ...before, tab: "query", q: wanted }) });
  };
  return (
    <>
      <form role="search" onSubmit={submit} className="mb-4 flex flex-wrap items-end gap-2">
        <Field label={t("query.label")} className="mb-0! min-w-0 flex-1 basis-72">
          {(control) => (
            <Input {...control} type="search" autoFocus maxLength={2_000} value={text} placeholder={t("query.placeholder")} onChange={(event) => setText(event.target.value)} />
          )}
        </Field>
        <Field label={t("query.most")} className="mb-0!">
          {(control) => (
            <Select {...control} value={limit} onChange={(event) => setLimit(Number(event.target.value))}>
              {LIMITS.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </Select>
          )}
        </Field>
        <Button type="submit" tone="primary" icon={Search} busy={isFetching} disabled={!text.trim()}>
          {t("query.search")}
        </Button>
      </form>
      {query === "" ? (
        <p className="text-sm text-soft">{t("query.what")}</p>
      ) : isFetching ? (
        <Skeleton lines={8} />
      ) : error ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : (
        data && <Results found={data} query={query} />
      )}
    </>
  );
}

function Results({ found, query }: { found: Found; query: string }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  if (found.hits.length === 0) return <Empty icon={Search} title={t("query.none")}>{t("query.none_what")}</Empty>;
  return (
    <>
      <p role="status" className="mb-3 text-sm text-soft">
        {t("query.found", { count: found.hits.length, took: format.duration(found.milliseconds) })}{" "}
        <Link to="/jobs/$jobId" params={{ jobId: found.jobId }} className="underline underline-offset-2 hover:text-ink">
          {t("query.job")}
        </Link>
      </p>
      <ol className="space-y-3">
        {found.hits.map((hit, index) => (
          <HitRow key={hit.chunk_id} hit={hit} rank={index + 1} query={query} />
        ))}
      </ol>
    </>
  );
}
