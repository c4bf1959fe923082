import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { LogOut } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, ApiError } from "@/api/client";
import { useSession } from "@/session/session";
import { Button } from "@/ui/button";
import { Card, Facts, Section } from "@/ui/layout";
import { toastError } from "@/ui/toast";
import { Ago, Moment } from "@/ui/time";
import { Scopes } from "./scopes";

/** Who is signed in, what it may do, and the way out. */
export function SignedIn() {
  const { t } = useTranslation("settings");
  const session = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const signOut = useMutation({
    mutationFn: async () => {
      try {
        await api.DELETE("/api/v1/session");
      } catch (error) {
        // Nobody was signed in any more, which is what is wanted.
        if (!(error instanceof ApiError && error.status === 401)) throw error;
      }
    },
    onSuccess: async () => {
      await navigate({ to: "/sign-in" });
      client.clear();
    },
    onError: toastError,
  });
  const facts: [ReactNode, ReactNode][] = [
    [t("session.project"), session.project.name],
    [t("session.subject"), <span key="subject" className="font-mono text-[0.9em]">{session.subject}</span>],
    [t("session.scopes"), <Scopes key="scopes" scopes={session.scopes} />],
    [
      t("session.expires"),
      session.expires_at ? (
        <span key="expires">
          <Moment at={session.expires_at} /> <Ago at={session.expires_at} className="text-soft" />
        </span>
      ) : (
        t("session.never")
      ),
    ],
  ];
  return (
    <Section
      title={t("session.title")}
      actions={
        <Button icon={LogOut} busy={signOut.isPending} onClick={() => signOut.mutate()}>
          {t("session.sign_out")}
        </Button>
      }
    >
      <Card>
        <Facts facts={facts} />
      </Card>
    </Section>
  );
}
