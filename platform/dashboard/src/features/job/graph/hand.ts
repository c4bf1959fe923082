import type { Edge, Node } from "@xyflow/react";
import { createContext } from "react";
import type { Placed, Routed } from "./layout";

/** What nodes need beside their place. */
interface Hand {
  selected: string | undefined;
  onSelect(step: string): void;
  toggle(step: string): void;
}
export const HandContext = createContext<Hand>({ selected: undefined, onSelect: () => {}, toggle: () => {} });

export type StepNode = Node<{ placed: Placed }, "step">;
export type StepEdge = Edge<{ routed: Routed; times: number; over: boolean }, "way">;
