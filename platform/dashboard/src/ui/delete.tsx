import { Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Button } from "./button";
import { Confirm } from "./confirm";

interface Props {
  /** What the button says, here and in the question. */
  verb: string;
  /** The question. */
  title: string;
  /** What will be gone. */
  children: ReactNode;
  remove: { mutate(): void; isPending: boolean; error: unknown };
}

/** Deletes, after it has asked. */
export function DeleteButton({ verb, title, children, remove }: Props) {
  const [asked, setAsked] = useState(false);
  return (
    <>
      <Button tone="danger" icon={Trash2} onClick={() => setAsked(true)}>
        {verb}
      </Button>
      <Confirm
        open={asked}
        onOpenChange={setAsked}
        title={title}
        confirm={verb}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate()}
      >
        {children}
      </Confirm>
    </>
  );
}
