import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, got, PAGE } from "@/api/client";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import type { Session } from "./session";

/** Sign in with a key, or with the one-time link that `mutirao up` and `mutirao open` print. */
export function SignIn() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [key, setKey] = useState("");
  // Read once and taken out of the address: it works once, and is nobody else's to see.
  const [link] = useState(() => window.location.hash.slice(1) || null);
  const used = useRef(false);

  const enter = useMutation({
    mutationFn: (credential: { key: string } | { link: string }): Promise<Session> =>
      got(api.POST("/api/v1/session", { body: credential })),
    onSuccess: (session) => {
      client.clear();
      client.setQueryData(["session"], session);
      const next = new URLSearchParams(window.location.search).get("next");
      void navigate({ to: next?.startsWith(PAGE) ? next.slice(PAGE.length - 1) : "/jobs", replace: true });
    },
  });
  const { mutate } = enter;

  useEffect(() => {
    document.title = "Mutirão";
    if (!link || used.current) return;
    used.current = true;
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    mutate({ link });
  }, [link, mutate]);

  return (
    <main className="flex min-h-dvh items-center justify-center p-4">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center gap-3">
          <img src="icon.svg" alt="" className="size-10" />
          <div>
            <h1>Mutirão</h1>
            <p className="text-sm text-soft">{t("sign_in.what")}</p>
          </div>
        </div>
        {link && enter.isPending ? (
          <Skeleton lines={3} />
        ) : (
          <form
            className="rounded-lg border border-line bg-surface p-5"
            onSubmit={(event) => {
              event.preventDefault();
              if (key.trim()) mutate({ key: key.trim() });
            }}
          >
            {enter.isError && <ErrorNotice error={enter.error} className="mb-4" />}
            <Field label={t("sign_in.key")} hint={t("sign_in.hint")}>
              {(control) => (
                <Input
                  {...control}
                  type="password"
                  name="key"
                  autoComplete="current-password"
                  autoFocus
                  value={key}
                  onChange={(event) => setKey(event.target.value)}
                />
              )}
            </Field>
            <Button type="submit" tone="primary" className="w-full" busy={enter.isPending} disabled={!key.trim()}>
              {t("sign_in.enter")}
            </Button>
          </form>
        )}
      </div>
    </main>
  );
}
