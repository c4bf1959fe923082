import { Bot, Info, User, Wrench, type LucideIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { CopyButton } from "@/ui/copy";
import { Json } from "@/ui/json";
import type { Message, Speaker } from "./messages";

const ICONS: Record<Speaker, LucideIcon> = { person: User, agent: Bot, tool: Wrench, system: Info };

/** A conversation, to be read from above to below. A tool's answer is folded: it is often long, and for the agent. */
export function Transcript({ messages, label }: { messages: readonly Message[]; label?: string }) {
  const { t } = useTranslation("threads");
  return (
    <ol aria-label={label ?? t("transcript")} className="space-y-1">
      {messages.map((message, index) => (
        <li key={`${index}-${message.id}`} data-speaker={message.speaker} className="[contain-intrinsic-size:auto_5rem] [content-visibility:auto]">
          <Said message={message} />
        </li>
      ))}
    </ol>
  );
}

function Said({ message }: { message: Message }) {
  const { t } = useTranslation("threads");
  const { speaker, name, text, calls, others } = message;
  const Icon = ICONS[speaker];
  const isPerson = speaker === "person";
  return (
    <div className={cx("flex gap-3 rounded-lg px-3 py-2.5", isPerson && "border border-line bg-surface")}>
      <span
        aria-hidden
        className={cx(
          "mt-0.5 flex size-7 shrink-0 items-center justify-center rounded-full border",
          isPerson ? "border-transparent bg-accent text-accent-ink" : "border-line bg-surface text-soft",
        )}
      >
        <Icon size={15} />
      </span>
      <div className="min-w-0 flex-1">
        <div className="flex items-center gap-2 text-[0.8rem] font-medium text-soft">
          {t(`speaker.${speaker}`)}
          {name && <span className="font-mono">{name}</span>}
          {message.failed && <span className="text-bad">{t("tool_failed")}</span>}
        </div>
        {text && (speaker === "tool" || speaker === "system" ? <Folded text={text} /> : <p className="max-w-[80ch] text-[0.95rem] leading-relaxed break-words whitespace-pre-wrap">{text}</p>)}
        {others.length > 0 && <p className="text-sm text-soft">{t("others", { kinds: others.join(", ") })}</p>}
        {calls.map((call, index) => (
          <div key={index} className="mt-1 max-w-[80ch]">
            <Json label={t("calls", { name: call.name })} value={call.args ?? null} />
          </div>
        ))}
      </div>
    </div>
  );
}

const SHORT = 280;

function Folded({ text }: { text: string }) {
  const { t } = useTranslation("threads");
  const body = <pre className="font-mono text-[0.8rem] leading-relaxed break-words whitespace-pre-wrap">{text}</pre>;
  if (text.length <= SHORT) return body;
  return (
    <details>
      <summary className="font-mono text-[0.8rem] break-words">
        {text.slice(0, SHORT)}… <span className="font-sans text-soft underline underline-offset-2">{t("unfold")}</span>
      </summary>
      <div className="mt-1 max-h-96 overflow-auto rounded-md border border-line bg-sunken p-3" tabIndex={0} role="region" aria-label={t("tool_answer")}>
        <CopyButton text={text} />
        {body}
      </div>
    </details>
  );
}
