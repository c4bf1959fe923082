import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { useMay } from "@/session/session";
import { DeleteButton } from "@/ui/delete";
import { toast } from "@/ui/toast";
import type { Thread } from "./queries";

export function DeleteThread({ thread }: { thread: Thread }) {
  const { t } = useTranslation("threads");
  const client = useQueryClient();
  const navigate = useNavigate();
  const may = useMay("submit");
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
    <DeleteButton verb={t("delete.button")} title={t("delete.title")} remove={remove}>
      {t("delete.what")}
    </DeleteButton>
  );
}
