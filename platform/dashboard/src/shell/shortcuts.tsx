import { useNavigate } from "@tanstack/react-router";
import { createContext, Suspense, use, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { lazyComponent } from "@/lib/lazy-component";

export interface Shortcut {
  /** One key, or several one after another with spaces between: `j`, `?`, `g j`. */
  keys: string;
  label: string;
  /** Left out for what the browser does by itself. */
  run?(event: KeyboardEvent): void;
}

export interface Group {
  title: string;
  shortcuts: readonly Shortcut[];
}

interface Registry {
  groups: Map<symbol, Group>;
}

const ShortcutList = lazyComponent(() => import("./shortcut-list"));
const RegistryContext = createContext<Registry | null>(null);

/** How long the next key of a sequence may take. */
const SEQUENCE = 1_200;
const TYPING = 'input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable="true"], .cm-editor';

/** Keys that do something while the component is shown; `?` lists them under `title`. */
export function useShortcuts(title: string, shortcuts: readonly Shortcut[]): void {
  const registry = use(RegistryContext);
  const [key] = useState(() => Symbol(title));
  const latest = useRef<Group>({ title, shortcuts });
  useEffect(() => {
    latest.current = { title, shortcuts };
    registry?.groups.set(key, latest.current);
  });
  useEffect(() => {
    registry?.groups.set(key, latest.current);
    return () => void registry?.groups.delete(key);
  }, [registry, key]);
}

/** Listens for keys, unless somebody types or a dialog is open; `?` shows which there are. */
export function ShortcutsProvider({ children }: { children: ReactNode }) {
  const registry = useMemo<Registry>(() => ({ groups: new Map() }), []);
  const [shown, setShown] = useState<readonly Group[] | null>(null);

  useEffect(() => {
    let before = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as Element | null;
      if (target?.closest?.(TYPING) || document.querySelector('[role="dialog"], [role="menu"]')) return;
      clearTimeout(timer);
      const all = [...registry.groups.values()].reverse().flatMap((group) => group.shortcuts);
      // Shift with a letter is the letter: what it does may look at the event.
      const key = /^[A-Z]$/.test(event.key) ? event.key.toLowerCase() : event.key;
      const sequence = before ? `${before} ${key}` : key;
      const found = all.find((each) => each.keys === sequence) ?? all.find((each) => each.keys === key);
      before = "";
      if (sequence === "?") {
        event.preventDefault();
        setShown([...registry.groups.values()]);
      } else if (found) {
        if (found.run) event.preventDefault();
        found.run?.(event);
      } else if (all.some((each) => each.keys.startsWith(`${sequence} `))) {
        before = sequence;
        timer = setTimeout(() => (before = ""), SEQUENCE);
      }
    };
    window.addEventListener("keydown", pressed);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("keydown", pressed);
    };
  }, [registry]);

  return (
    <RegistryContext value={registry}>
      {children}
      <Suspense>
        <Places />
        {shown && <ShortcutList groups={shown} close={() => setShown(null)} />}
      </Suspense>
    </RegistryContext>
  );
}

const PLACES = [
  ["g j", "/jobs", "jobs"],
  ["g a", "/approvals", "approvals"],
  ["g k", "/knowledge", "knowledge"],
  ["g s", "/submit", "submit"],
  ["g t", "/threads", "threads"],
  ["g w", "/workflows", "workflows"],
  ["g y", "/system", "system"],
  ["g e", "/settings", "settings"],
] as const;

function Places() {
  const { t } = useTranslation(); // words that are there from the beginning: keys work as soon as the page does
  const navigate = useNavigate();
  useShortcuts(
    t("nav.go_to"),
    PLACES.map(([keys, to, word]) => ({ keys, label: t(`nav.${word}`), run: () => void navigate({ to }) })),
  );
  return null;
}
