import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Notice } from "@/ui/notices";

interface Props {
  children: ReactNode;
  /** What is shown when `children` cannot be drawn. */
  instead: ReactNode;
}

/** Workflows change, and jobs stay: an output that is not what a view takes it for is shown as the data that it is. */
export class Fallback extends Component<Props, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <>
        <Unknown />
        {this.props.instead}
      </>
    );
  }
}

function Unknown() {
  const { t } = useTranslation("results");
  return (
    <Notice title={t("unknown.title")} className="mb-4">
      {t("unknown.hint")}
    </Notice>
  );
}
