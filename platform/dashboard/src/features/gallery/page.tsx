import { Link, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Page, Section } from "@/ui/layout";
import { STORIES } from "./stories";

/** States that are hard to come by, with fixed data: for eyes and for tests. One of them with `?story=`, else all. */
export default function GalleryPage() {
  const { t } = useTranslation("gallery");
  const { story } = useSearch({ from: "/frame/gallery" });
  const shown = story ? STORIES.filter((each) => each.id === story) : STORIES;
  return (
    <Page title={t("title")} wide>
      <nav aria-label={t("stories")} className="mb-6 flex flex-wrap gap-x-4 gap-y-1 text-sm">
        {STORIES.map(({ id }) => (
          <Link key={id} to="/gallery" search={{ story: id }} className="text-accent-text underline underline-offset-2">
            {t(`story.${id}`)}
          </Link>
        ))}
      </nav>
      {shown.map(({ id, Show }) => (
        <Section key={id} title={t(`story.${id}`)}>
          <div data-story={id}>
            <Show />
          </div>
        </Section>
      ))}
    </Page>
  );
}
