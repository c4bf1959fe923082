import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useCallback, useEffect, useRef } from "react";
import { useJournal } from "../journal";
import type { JobModel } from "../model";
import { stateOf } from "../records";
import type { Picture, Placed } from "./layout";

// A picture that would have to be smaller than this to be seen whole is not: one could read nothing of it.
const READABLE = 0.55;
// Above are the buttons.
const ROOM = { top: 56, side: 16 };

/** Where the picture is looked at from: whole, or where that would be too small at the step that matters now. */
export function useView(picture: Picture, selected: string | undefined) {
  const { setViewport } = useReactFlow();
  const store = useStoreApi();
  const { model } = useJournal();
  const chosen = useRef(selected);
  useEffect(() => {
    chosen.current = selected;
  });
  const look = useCallback(
    (whole: boolean) => {
      const { width, height, panZoom } = store.getState();
      if (width === 0 || !panZoom) return false;
      const high = height - ROOM.top - ROOM.side;
      const wide = width - 2 * ROOM.side;
      const fits = Math.min(1, wide / picture.width, high / picture.height);
      if (whole || fits >= READABLE) {
        void setViewport({ x: (width - picture.width * fits) / 2, y: ROOM.top + Math.max(0, high - picture.height * fits) / 2, zoom: fits });
        return true;
      }
      const zoom = Math.min(1, Math.max(READABLE, wide / picture.width));
      const at = picture.nodes.find((node) => node.path === chosen.current) ?? mattering(picture.nodes, model) ?? picture.nodes[0];
      const middle = picture.width * zoom <= width ? picture.width / 2 : at ? at.x + at.width / 2 : 0;
      const y = at ? height / 2 - (at.y + at.height / 2) * zoom : ROOM.top;
      void setViewport({ x: width / 2 - middle * zoom, y: Math.min(ROOM.top, y), zoom });
      return true;
    },
    [setViewport, store, picture, model],
  );
  useEffect(() => {
    // How large the box is, is known some frames later.
    let frame = requestAnimationFrame(function again() {
      if (!look(false)) frame = requestAnimationFrame(again);
    });
    return () => cancelAnimationFrame(frame);
  }, [look]);
  return { fit: useCallback(() => void look(true), [look]) };
}

/** What one looks for: what has failed, else what runs or waits, the innermost of it. */
function mattering(nodes: readonly Placed[], model: JobModel): Placed | undefined {
  for (const state of ["failed", "running", "interrupted", "broken"] as const) {
    const found = nodes.findLast((node) => node.kind !== "end" && stateOf(model.steps.get(node.path)) === state);
    if (found) return found;
  }
  return undefined;
}
