import { useTranslation } from "react-i18next";
import { Dialog } from "@/ui/dialog";
import type { Group, Shortcut } from "./shortcuts";

/** Which keys there are on the page that is shown. */
export default function ShortcutList({ groups, close }: { groups: readonly Group[]; close(): void }) {
  const { t } = useTranslation("shortcuts");
  // Parts of one page say what they add under the same title.
  const there = new Map<string, Shortcut[]>();
  for (const { title, shortcuts } of groups) there.set(title, [...(there.get(title) ?? []), ...shortcuts]);
  return (
    <Dialog open onOpenChange={(open) => !open && close()} title={t("title")} description={t("hint")}>
      <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
        {[...there].map(([title, shortcuts]) => (
          <section key={title}>
            <h3 className="mb-2">{title}</h3>
            <dl className="space-y-1.5 text-sm">
              {shortcuts.map((each) => (
                <div key={each.keys} className="flex items-baseline justify-between gap-4">
                  <dt className="text-soft">{each.label}</dt>
                  <dd className="flex gap-1">
                    {each.keys.split(" ").map((key, index) => (
                      <kbd key={index} className="min-w-6 rounded border border-line bg-sunken px-1.5 text-center font-mono text-[0.8rem]">
                        {key}
                      </kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
