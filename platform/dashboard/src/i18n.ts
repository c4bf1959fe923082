import i18next, { type BackendModule } from "i18next";
import { initReactI18next } from "react-i18next";
import { wanted } from "./lib/lazy-component";
import { onPreferences, preferences } from "./lib/preferences";

export const LANGUAGES = ["en", "pt-BR"] as const;

const files = import.meta.glob<{ default: Record<string, unknown> }>("./locales/*/*.json");

/** A language's words of one part of the page, loaded when that part is first shown. */
const backend: BackendModule = {
  type: "backend",
  init: () => {},
  read(language, namespace, callback) {
    const load = files[`./locales/${language}/${namespace}.json`];
    if (!load) return callback(new Error(`no words of ${namespace} in ${language}`), false);
    wanted(load).then(
      (file) => callback(null, file.default),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), false),
    );
  },
};

function chosen(): string {
  const { language } = preferences();
  if (language !== "system") return language;
  return navigator.languages.some((name) => name.toLowerCase().startsWith("pt")) ? "pt-BR" : "en";
}

/** Have the words of a part of the page; at once when they are there. */
export const loadWords = (part: string): Promise<void> => i18next.loadNamespaces(part);

/** `parts`: those whose words are wanted first, besides what all have in common. */
export async function startI18n(parts: string[]): Promise<void> {
  await i18next
    .use(backend)
    .use(initReactI18next)
    .init({
      lng: chosen(),
      supportedLngs: [...LANGUAGES],
      load: "currentOnly",
      fallbackLng: false,
      ns: ["common", ...parts],
      defaultNS: "common",
      interpolation: { escapeValue: false },
      react: { useSuspense: true },
      showSupportNotice: false,
      // A word that is missing is shown as its key: whoever tests the page is to hear of it.
      saveMissing: true,
      missingKeyHandler: (languages, namespace, key, fallback) => {
        if (fallback === key) console.error(`no words for ${namespace}:${key} in ${languages.join(", ")}`);
      },
    } as Parameters<typeof i18next.init>[0]);
  document.documentElement.lang = i18next.language;
  onPreferences(() => {
    const language = chosen();
    if (language === i18next.language) return;
    void i18next.changeLanguage(language).then(() => {
      document.documentElement.lang = language;
    });
  });
}
