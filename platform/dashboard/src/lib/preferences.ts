import { useSyncExternalStore } from "react";

/** What a person has chosen for this browser. */
export interface Preferences {
  theme: "system" | "light" | "dark";
  language: "system" | "en" | "pt-BR";
  /** `local`, `UTC`, or a name of the time zone database. */
  zone: string;
}

const DEFAULTS: Preferences = { theme: "system", language: "system", zone: "local" };
const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  const stored = { ...DEFAULTS };
  try {
    for (const key of Object.keys(DEFAULTS) as (keyof Preferences)[]) {
      const value = localStorage.getItem(`mutirao.${key}`);
      if (value) (stored as Record<string, string>)[key] = value;
    }
  } catch {
    // Storage may be forbidden: the defaults then.
  }
  return stored;
}

export function preferences(): Preferences {
  return current;
}

export function setPreference<K extends keyof Preferences>(key: K, value: Preferences[K]): void {
  current = { ...current, [key]: value };
  try {
    localStorage.setItem(`mutirao.${key}`, value);
  } catch {
    // It lasts as long as the tab.
  }
  if (key === "theme") applyTheme();
  for (const listener of listeners) listener();
}

export function onPreferences(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(onPreferences, preferences);
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function applyTheme(): void {
  const isDark = current.theme === "dark" || (current.theme === "system" && dark.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}
dark.addEventListener("change", applyTheme);
