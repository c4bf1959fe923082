import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input } from "@/ui/field";

const NAME = /^[a-zA-Z0-9._-]{3,512}$/;

interface Props {
  open: boolean;
  onOpenChange(open: boolean): void;
  existing: string[];
}

/** Names a collection and goes to where its first file is put into it, which makes it. */
export function NewCollection({ open, onOpenChange, existing }: Props) {
  const { t } = useTranslation("knowledge");
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [tried, setTried] = useState(false);
  const wrong = existing.includes(name) ? t("new.taken") : NAME.test(name) ? undefined : t("new.wrong");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (wrong) return;
    onOpenChange(false);
    void navigate({ to: "/knowledge/$collection", params: { collection: name }, search: { tab: "upload" } });
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={t("new.title")}
      description={t("new.what")}
      actions={
        <Button type="submit" form="new-collection" tone="primary">
          {t("new.next")}
        </Button>
      }
    >
      <form id="new-collection" onSubmit={submit} noValidate>
        <Field label={t("new.name")} hint={t("new.rule")} error={tried && wrong} required className="mb-0!">
          {(control) => (
            <Input {...control} autoFocus required autoComplete="off" spellCheck={false} value={name} onChange={(event) => setName(event.target.value.trim())} />
          )}
        </Field>
      </form>
    </Dialog>
  );
}
