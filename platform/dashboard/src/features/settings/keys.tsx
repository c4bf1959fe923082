import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Ban, CircleCheck, Hourglass, KeyRound } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { useNow } from "@/lib/clock";
import { useSession } from "@/session/session";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { Section } from "@/ui/layout";
import { ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Badge, JOB_LOOKS, type Look } from "@/ui/state";
import { Ago } from "@/ui/time";
import { toast } from "@/ui/toast";
import { NewKey } from "./new-key";
import { keysQuery, type Key } from "./queries";
import { Scopes } from "./scopes";

/** The keys of the project, for its administrators. */
export function Keys() {
  const { t } = useTranslation("settings");
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(keysQuery);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Key | null>(null);
  return (
    <Section
      title={t("keys.title")}
      actions={
        <Button icon={KeyRound} onClick={() => setMaking(true)}>
          {t("keys.new")}
        </Button>
      }
    >
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={4} />
      ) : (
        <Table keys={data.pages.flatMap((page) => page.keys)} onRevoke={setRevoking} />
      )}
      {hasNextPage && (
        <Button className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("more")}
        </Button>
      )}
      {making && <NewKey onClose={() => setMaking(false)} />}
      {revoking && <Revoke apiKey={revoking} onClose={() => setRevoking(null)} />}
    </Section>
  );
}

type State = "valid" | "expired" | "revoked";
const LOOKS: Record<State, Look> = {
  valid: { ...JOB_LOOKS.succeeded, icon: CircleCheck },
  expired: { ...JOB_LOOKS.cancelled, icon: Hourglass },
  revoked: { ...JOB_LOOKS.cancelled, icon: Ban },
};

function stateOf(key: Key, now: number): State {
  if (key.revoked_at) return "revoked";
  return key.expires_at && new Date(key.expires_at).getTime() <= now ? "expired" : "valid";
}

function Table({ keys, onRevoke }: { keys: Key[]; onRevoke(key: Key): void }) {
  const { t } = useTranslation("settings");
  const now = useNow();
  const columns: Column<Key>[] = [
    {
      id: "name",
      head: t("keys.name"),
      title: true,
      className: "sm:w-full",
      cell: (each) => (
        <>
          <div className="font-medium break-words">{each.name}</div>
          <div className="font-mono text-[0.8rem] text-soft">{each.prefix}</div>
        </>
      ),
    },
    { id: "state", head: t("keys.state"), cell: (each) => <Badge look={LOOKS[stateOf(each, now)]}>{t(`keys.${stateOf(each, now)}`)}</Badge> },
    { id: "scopes", head: t("keys.scopes"), className: "sm:min-w-56", cell: (each) => <Scopes scopes={each.scopes} /> },
    { id: "used", head: t("keys.used"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.last_used_at} /> },
    { id: "expires", head: t("keys.expires"), className: "whitespace-nowrap text-soft", cell: (each) => (each.expires_at ? <Ago at={each.expires_at} /> : t("session.never")) },
    { id: "created", minor: true, head: t("keys.created"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.created_at} /> },
    {
      id: "revoke",
      head: <span className="sr-only">{t("keys.revoke")}</span>,
      cell: (each) =>
        stateOf(each, now) === "valid" && (
          <Button small tone="danger" aria-label={t("keys.revoke_one", { name: each.name })} onClick={() => onRevoke(each)}>
            {t("keys.revoke")}
          </Button>
        ),
    },
  ];
  return <Rows label={t("keys.title")} columns={columns} rows={keys} rowKey={(each) => each.id} rowProps={(each) => ({ "data-key": each.prefix, "data-state": stateOf(each, now) })} />;
}

function Revoke({ apiKey, onClose }: { apiKey: Key; onClose(): void }) {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const isOwn = useSession().subject === `key:${apiKey.prefix}`;
  const revoke = useMutation({
    mutationFn: () => api.DELETE("/api/v1/keys/{key_id}", { params: { path: { key_id: apiKey.id } } }),
    onSuccess: () => {
      toast(t("keys.revoked_now", { name: apiKey.name }));
      void client.invalidateQueries({ queryKey: keysQuery.queryKey });
      onClose();
    },
  });
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={t("keys.revoke_title", { name: apiKey.name })}
      confirm={t("keys.revoke")}
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate()}
    >
      {t("keys.revoke_what")}
      {isOwn && <Notice kind="warning" title={t("keys.own")} className="mt-3" />}
    </Confirm>
  );
}
