import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { useMay } from "@/session/session";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { toast } from "@/ui/toast";
import type { Thread } from "./queries";

export function DeleteThread({ thread }: { thread: Thread }) {
  const { t } = useTranslation("threads");
  const client = useQueryClient();
  const navigate = useNavigate();
  const may = useMay("submit");
  const [asked, setAsked] = useState(false);
  const remove = useMutation({
    mutationFn: () => api.DELETE("/api/v1/threads/{thread_id}", { params: { path: { thread_id: thread.id } } }),
    onSuccess: async () => {
      toast(t("delete.done"));
      await navigate({ to: "/threads" });
      client.removeQueries({ queryKey: ["threads", "one", thread.id] });
      for (const key of ["threads", "jobs", "counts"]) void client.invalidateQueries({ queryKey: [key] });
    },
  });
  if (!may) return null;
  return (
    <>
      <Button tone="danger" icon={Trash2} onClick={() => setAsked(true)}>
        {t("delete.button")}
      </Button>
      <Confirm
        open={asked}
        onOpenChange={setAsked}
        title={t("delete.title")}
        confirm={t("delete.button")}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate()}
      >
        {t("delete.what")}
      </Confirm>
    </>
  );
}
