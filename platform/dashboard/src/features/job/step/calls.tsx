import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Badge, STEP_LOOKS } from "@/ui/state";
import { CopyButton } from "@/ui/copy";
import type { ModelCall } from "../records";

const FEW = 3;

/** Every call of a model: what was asked, what it has answered, and what that took. */
export function Calls({ calls }: { calls: readonly ModelCall[] }) {
  return (
    <ol className="space-y-3">
      {calls.map((call, index) => (
        <li key={call.seq}>
          <Call call={call} open={calls.length <= FEW || index === calls.length - 1} />
        </li>
      ))}
    </ol>
  );
}

function Call({ call, open }: { call: ModelCall; open: boolean }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const facts = [
    call.replayed ? null : t("call.tokens", { input: format.number(call.inputTokens), output: format.number(call.outputTokens) }),
    call.cachedTokens > 0 ? t("measure.cached", { cached: format.number(call.cachedTokens) }) : null,
    call.cost > 0 ? t("call.cost", { cost: format.money(call.cost) }) : null,
    format.duration(call.milliseconds),
  ];
  return (
    <details open={open} className="overflow-hidden rounded-md border border-line">
      <summary className="flex flex-wrap items-center gap-x-3 gap-y-1 bg-sunken px-3 py-1.5 text-[0.82rem]">
        <span className="font-medium">{call.model}</span>
        <span className="text-soft tabular-nums">{facts.filter(Boolean).join(" · ")}</span>
        {call.replayed && <Badge look={STEP_LOOKS.pending}>{t("call.replayed")}</Badge>}
        {call.error && <Badge look={STEP_LOOKS.failed}>{t("call.failed")}</Badge>}
      </summary>
      <div className="space-y-3 p-3">
        {call.prompt.map((message, index) => (
          <Message key={index} role={roleOf(message.role)} text={message.content} />
        ))}
        {call.error ? <Message role="error" text={call.error} bad /> : <Message role="answer" text={call.answer} answer />}
      </div>
    </details>
  );
}

const ROLES = ["system", "human", "ai", "tool", "answer", "error"] as const;
type Role = (typeof ROLES)[number];
const roleOf = (role: string): Role | string => ROLES.find((each) => each === role) ?? role;

function Message({ role, text, answer, bad }: { role: string; text: string; answer?: boolean; bad?: boolean }) {
  const { t } = useTranslation("job");
  const name = (ROLES as readonly string[]).includes(role) ? t(`call.role.${role}`) : role;
  return (
    <div className={answer ? "border-l-2 border-accent pl-3" : bad ? "border-l-2 border-bad pl-3" : "border-l-2 border-line pl-3"}>
      <div className="flex items-center justify-between text-[0.78rem] font-medium text-soft">
        {name}
        <CopyButton text={text} />
      </div>
      <div tabIndex={0} role="region" aria-label={name} className="max-h-72 overflow-auto text-[0.84rem] leading-relaxed break-words whitespace-pre-wrap">
        {text || <span className="text-soft">{t("call.empty")}</span>}
      </div>
    </div>
  );
}
