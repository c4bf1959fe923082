import { useTranslation } from "react-i18next";
import { useMay } from "@/session/session";
import { Page } from "@/ui/layout";
import { Appearance } from "./appearance";
import { Keys } from "./keys";
import { ProjectSection } from "./project";
import { SignedIn } from "./signed-in";

export default function SettingsPage() {
  const { t } = useTranslation("settings");
  const isAdmin = useMay("admin");
  return (
    <Page title={t("title")}>
      <Appearance />
      <SignedIn />
      <ProjectSection mayChange={isAdmin} />
      {isAdmin && <Keys />}
    </Page>
  );
}
