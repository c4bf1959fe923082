import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import { useMemo, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { api, ApiError, got, type Job, type Schemas, type Workflow } from "@/api/client";
import { Button } from "@/ui/button";
import { Card } from "@/ui/layout";
import { ErrorNotice, Notice } from "@/ui/notices";
import { Advanced } from "./advanced";
import { InputEditor } from "./input-editor";
import { optionsOf, optionsSchema } from "./options";
import { Preview } from "./preview";
import { initial, isObject, placed, pruned, useMisses, type Schema } from "./schema-form";

interface Props {
  workflow: Workflow;
  /** As the address asks for it; the newest otherwise. */
  version: string | undefined;
  /** The job whose input and options it begins with. */
  earlier: Job | undefined;
}

/** One key for one body: sent twice, it makes one job; another body is another job. */
function useIdempotencyKey(): (body: string) => string {
  const last = useRef({ body: "", key: "" });
  return (body) => {
    if (last.current.body !== body) last.current = { body, key: newKey() };
    return last.current.key;
  };
}

// Not crypto.randomUUID: a page that comes over plain HTTP from another machine has none.
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export function SubmitForm({ workflow, version, earlier }: Props) {
  const { t } = useTranslation("submit");
  const navigate = useNavigate();
  const client = useQueryClient();
  const schema = workflow.input_schema as Schema;
  const options = useMemo(() => optionsSchema(t), [t]);
  const [input, setInput] = useState<unknown>(() => (isObject(earlier?.input) ? earlier.input : initial(schema)));
  const [beside, setBeside] = useState<unknown>(() => (earlier ? optionsOf(earlier) : {}));
  const [tried, setTried] = useState(false);
  const keyOf = useIdempotencyKey();
  const form = useRef<HTMLFormElement>(null);
  const misses = { input: useMisses(schema, input), options: useMisses(options, beside) };

  const body = useMemo(() => {
    const sent = pruned(beside, options);
    return {
      workflow: workflow.name,
      input: pruned(input, schema) ?? {},
      options: { ...(version ? { version } : {}), ...(isObject(sent) ? sent : {}) },
    };
  }, [workflow.name, version, input, schema, beside, options]);

  const submit = useMutation({
    mutationFn: () => {
      const request = { workflow: body.workflow, input: body.input, ...body.options } as Schemas["JobRequest"];
      const header = { "idempotency-key": keyOf(JSON.stringify(request)) };
      return got(api.POST("/api/v1/jobs", { body: request, params: { header } }));
    },
    onSuccess: async (job) => {
      void client.invalidateQueries({ queryKey: ["jobs"] });
      await navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
    },
    onError: () => focusFirstError(form.current),
  });
  const refused = submit.error instanceof ApiError ? submit.error : null;
  const said = useMemo(() => {
    const errors = refused?.errors ?? [];
    const code = refused?.code ?? "";
    const ofInput = placed(errors, "/input", code);
    const ofOptions = code === "input_rejected" ? [] : placed(errors, "", code).filter((error) => !error.path.startsWith("/input"));
    return { input: ofInput, options: ofOptions, all: errors.length > 0 && ofInput.length + ofOptions.length === errors.length };
  }, [refused]);

  const send = (event?: FormEvent) => {
    event?.preventDefault();
    if (submit.isPending || submit.isSuccess) return;
    setTried(true);
    if (misses.input.length + misses.options.length > 0) focusFirstError(form.current);
    else submit.mutate();
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  };
  const wrong = tried ? misses.input.length + misses.options.length : 0;
  return (
    <div className="grid items-start gap-6 xl:grid-cols-[minmax(0,1fr)_minmax(0,28rem)]">
      <form ref={form} noValidate onSubmit={send} onKeyDown={pressed} aria-label={t("form_of", { workflow: workflow.name })} className="max-w-3xl">
        {earlier && <Earlier job={earlier} workflow={workflow.name} />}
        <InputEditor schema={schema} value={input} onChange={setInput} errors={said.input} showAll={tried} />
        <Advanced
          schema={options}
          value={beside}
          onChange={setBeside}
          errors={said.options}
          showAll={tried}
          open={said.options.length > 0 || (tried && misses.options.length > 0)}
          workflow={workflow.name}
          version={version}
        />
        <div className="mt-5 space-y-3">
          {submit.error && (said.all ? <Notice kind="error" title={t("refused")}>{t("refused_hint")}</Notice> : <ErrorNotice error={submit.error} />)}
          {wrong > 0 && !submit.error && <p role="alert" className="text-sm font-medium text-bad">{t("wrong", { count: wrong })}</p>}
          <div className="flex flex-wrap items-center gap-3">
            <Button
              type="submit"
              tone="primary"
              icon={Rocket}
              busy={submit.isPending || submit.isSuccess}
              // The field that is left may now say what is wrong, which moves the button away from under the pointer.
              onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            >
              {t("submit")}
            </Button>
            <span className="text-[0.8rem] text-soft">{t("submit_keys")}</span>
          </div>
        </div>
      </form>
      <Preview submission={body} />
    </div>
  );
}

function Earlier({ job, workflow }: { job: Job; workflow: string }) {
  const { t } = useTranslation("submit");
  const usable = isObject(job.input);
  return (
    <Card className="mb-4 text-sm">
      {usable ? t("from") : t("from_nothing")}{" "}
      <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="font-mono text-[0.85em] underline underline-offset-2">
        {job.id.slice(-8)}
      </Link>
      {job.workflow !== workflow && <span className="text-soft"> {t("of_workflow", { workflow: job.workflow })}</span>}
    </Card>
  );
}

/** Once what is wrong is drawn: to the first field that says so. */
function focusFirstError(form: HTMLFormElement | null): void {
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const found = form?.querySelector<HTMLElement>('[aria-invalid="true"]');
      found?.focus({ preventScroll: true });
      found?.scrollIntoView({ block: "center" });
    }),
  );
}
