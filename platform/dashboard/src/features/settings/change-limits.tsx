import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api, ApiError, got } from "@/api/client";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input } from "@/ui/field";
import { ErrorNotice } from "@/ui/notices";
import { toast } from "@/ui/toast";
import { projectQuery, type Project } from "./queries";

const FIELDS = ["max_running", "tokens", "model_calls", "cost"] as const;
type Draft = Record<(typeof FIELDS)[number], string>;

/** A form of the project's limits; an empty field means none. */
export function ChangeLimits({ project, onClose }: { project: Project; onClose(): void }) {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const said = (value: number | null | undefined) => (value === null || value === undefined ? "" : String(value));
  const [draft, setDraft] = useState<Draft>({
    max_running: said(project.max_running),
    tokens: said(project.budget?.tokens),
    model_calls: said(project.budget?.model_calls),
    cost: said(project.budget?.cost),
  });
  const [tried, setTried] = useState(false);
  const number = (name: keyof Draft) => (draft[name].trim() === "" ? null : Number(draft[name]));
  const isWrong = (name: keyof Draft) => Number.isNaN(number(name));
  const save = useMutation({
    mutationFn: () => {
      const budget = { tokens: number("tokens"), model_calls: number("model_calls"), cost: number("cost") };
      const none = Object.values(budget).every((value) => value === null);
      const body = { max_running: number("max_running"), budget: none ? null : budget };
      return got(api.PATCH("/api/v1/project", { body, headers: { "If-Match": `"${project.revision}"` } }));
    },
    onSuccess: (changed) => {
      client.setQueryData(projectQuery.queryKey, changed);
      toast(t("project.changed"));
      onClose();
    },
  });
  const errors = save.error instanceof ApiError ? save.error.errors : [];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!FIELDS.some(isWrong)) save.mutate();
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("project.change")}
      description={t("project.change_what")}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" form="project" tone="primary" busy={save.isPending}>
            {t("project.save")}
          </Button>
        </>
      }
    >
      <form id="project" onSubmit={submit} noValidate>
        {save.error && errors.length === 0 && <ErrorNotice error={save.error} className="mb-4" />}
        {FIELDS.map((name) => (
          <Field key={name} label={t(`project.field.${name}`)} hint={t("project.empty")} error={tried && isWrong(name) ? t("project.no_number") : errors.find((each) => each.path.includes(name))?.message}>
            {(control) => (
              <Input {...control} inputMode="decimal" value={draft[name]} onChange={(event) => setDraft({ ...draft, [name]: event.target.value })} />
            )}
          </Field>
        ))}
      </form>
    </Dialog>
  );
}
