import { useEffect, type RefObject } from "react";
import type { Kind } from "./question";

const KEYS: Record<string, Kind> = { a: "approve", e: "edit", r: "reject" };

/** Whether letters that are typed are meant for a field. */
export function isTyping(event: KeyboardEvent): boolean {
  const { target } = event;
  if (!(target instanceof HTMLElement)) return false;
  const isChoice = target instanceof HTMLInputElement && (target.type === "radio" || target.type === "checkbox");
  return /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !isChoice;
}

/** A letter chooses what is decided about the first action that is open, and puts the focus where one goes on. */
export function useDecisionKeys(on: boolean, form: RefObject<HTMLFormElement | null>): void {
  useEffect(() => {
    if (!on) return undefined;
    const onKey = (event: KeyboardEvent) => {
      const kind = KEYS[event.key];
      if (!kind || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("[role=dialog]")) return;
      const fields = [...(form.current?.querySelectorAll("fieldset") ?? [])];
      const isOpen = (field: HTMLFieldSetElement) => !field.querySelector("input:checked");
      const field = fields.find(isOpen) ?? fields[0];
      const choice = field?.querySelector<HTMLInputElement>(`input[data-kind="${kind}"]`);
      if (!choice) return;
      event.preventDefault();
      choice.click();
      requestAnimationFrame(() => {
        const goesOn = kind === "approve" && !fields.some(isOpen);
        const next = goesOn
          ? form.current?.querySelector<HTMLElement>("[data-send]")
          : choice.closest("section")?.querySelector<HTMLElement>("textarea, input:not([type=radio])");
        (next ?? choice).focus();
      });
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [on, form]);
}
