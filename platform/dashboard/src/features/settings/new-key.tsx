import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api, ApiError, got, type Schemas } from "@/api/client";
import { useSession, type Scope } from "@/session/session";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/field";
import { ErrorNotice, Notice } from "@/ui/notices";
import { keysQuery } from "./queries";
import { SCOPES } from "./scopes";

const DAY = 86_400_000;
const AGES = [0, 7, 30, 90, 365];

/** Makes a key, and shows it this once. */
export function NewKey({ onClose }: { onClose(): void }) {
  const [made, setMade] = useState<Schemas["MadeKey"] | null>(null);
  return made ? <Made made={made} onClose={onClose} /> : <Form onMade={setMade} onClose={onClose} />;
}

function Form({ onMade, onClose }: { onMade(key: Schemas["MadeKey"]): void; onClose(): void }) {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const own = useSession().scopes;
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(() => (["read", "submit"] as const).filter((scope) => own.includes(scope)));
  const [days, setDays] = useState(0);
  const make = useMutation({
    mutationFn: () => {
      const expires_at = days > 0 ? new Date(Date.now() + days * DAY).toISOString() : null;
      return got(api.POST("/api/v1/keys", { body: { name: name.trim(), scopes, expires_at } }));
    },
    onSuccess: (key) => {
      void client.invalidateQueries({ queryKey: keysQuery.queryKey });
      onMade(key);
    },
  });
  const errors = make.error instanceof ApiError ? make.error.errors : [];
  const of = (field: string) => errors.find((each) => each.path.includes(field))?.message;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("keys.new")}
      description={t("keys.new_what")}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" form="new-key" tone="primary" busy={make.isPending} disabled={!name.trim() || scopes.length === 0}>
            {t("keys.make")}
          </Button>
        </>
      }
    >
      <form id="new-key" onSubmit={submit}>
        {make.error && errors.length === 0 && <ErrorNotice error={make.error} className="mb-4" />}
        <Field label={t("keys.name")} hint={t("keys.name_what")} error={of("name")} required>
          {(control) => <Input {...control} autoFocus required maxLength={200} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <fieldset className="mb-4">
          <legend className="mb-1 text-sm font-medium">{t("keys.scopes")}</legend>
          {SCOPES.map((scope) => (
            <label key={scope} className="flex items-baseline gap-2 py-1 text-sm">
              <input
                type="checkbox"
                className="translate-y-0.5 accent-accent"
                checked={scopes.includes(scope)}
                disabled={!own.includes(scope)}
                onChange={(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
              />
              <span>
                <span className="font-medium">{t(`scope.${scope}`)}</span> <span className="text-soft">{t(`scope.${scope}_what`)}</span>
              </span>
            </label>
          ))}
          {of("scopes") && <p className="text-[0.8rem] font-medium text-bad">{of("scopes")}</p>}
        </fieldset>
        <Field label={t("keys.expires")} error={of("expires_at")} className="mb-0!">
          {(control) => (
            <Select {...control} value={days} onChange={(event) => setDays(Number(event.target.value))}>
              {AGES.map((age) => (
                <option key={age} value={age}>
                  {age === 0 ? t("session.never") : t("keys.in_days", { count: age })}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </form>
    </Dialog>
  );
}

function Made({ made, onClose }: { made: Schemas["MadeKey"]; onClose(): void }) {
  const { t } = useTranslation("settings");
  return (
    <Dialog
      open
      // A click beside it must not take away what cannot be shown again.
      onOpenChange={() => {}}
      title={t("keys.made", { name: made.name })}
      actions={
        <Button tone="primary" onClick={onClose}>
          {t("keys.kept")}
        </Button>
      }
    >
      <Notice kind="warning" title={t("keys.once")}>
        {t("keys.once_what")}
      </Notice>
      <div className="mt-3 flex items-center gap-2 rounded-md border border-line bg-sunken py-1 pr-1 pl-3">
        <code data-testid="new-key" className="min-w-0 flex-1 font-mono text-[0.85rem] break-all">
          {made.key}
        </code>
        <CopyButton text={made.key} />
      </div>
    </Dialog>
  );
}
