import { createElement, use, type ComponentType } from "react";

const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 8_000;
// A page that has been loaded anew so short a time ago is not loaded anew again: what is missing is missing on the server.
const JUST_NOW = 15_000;
const RELOADED = "mutirao.reloaded";

/** A component whose code comes when it is first shown, and until then suspends; `preload` has it come earlier. */
export function part<P extends object>(code: () => Promise<{ default: ComponentType<P> }>) {
  let here: ComponentType<P> | null = null;
  let coming: Promise<void> | null = null;
  const ask = async () => {
    here = (await code()).default;
  };

  function Part(props: P) {
    if (!here) use((coming ??= wanted(ask)));
    return createElement(here!, props);
  }
  // Nobody waits for it yet: that it fails is told to whoever does.
  return Object.assign(Part, { preload: () => ask().catch(() => {}) });
}

/** Have the code of what is shown next as soon as the page has nothing else to do. Returns how to stop it. */
export function preloadWhenIdle(parts: readonly { preload(): Promise<void> }[]): () => void {
  const preload = () => parts.forEach((each) => void each.preload());
  // Not every browser knows it.
  if (typeof requestIdleCallback === "undefined") {
    const timer = setTimeout(preload, FIRST_PAUSE);
    return () => clearTimeout(timer);
  }
  const idle = requestIdleCallback(preload);
  return () => cancelIdleCallback(idle);
}

/** Code that the page needs and the server does not have, though it answers. */
export class MissingPart extends Error {
  override readonly name = "MissingPart";
}

/**
 * What a dynamic import gives, however long the server is away.
 *
 * A browser does not ask again for a module that it once did not get (https://github.com/whatwg/html/issues/6768), and a
 * newer build of the page serves others: so the page is loaded anew as soon as the server answers. What it shows is in
 * its address. Fails with `MissingPart` if that has been tried just now.
 */
export async function wanted<T>(code: () => Promise<T>): Promise<T> {
  try {
    return await code();
  } catch (error) {
    await answers();
    const last = Number(sessionStorage.getItem(RELOADED));
    if (Date.now() - last < JUST_NOW) throw new MissingPart(String(error), { cause: error });
    sessionStorage.setItem(RELOADED, String(Date.now()));
    location.reload();
    return new Promise(() => {});
  }
}

/** Resolves once the server serves the page; asked with growing pauses, at once when the network comes back. */
async function answers(): Promise<void> {
  for (let failures = 0; ; failures += 1) {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (answer?.ok) return;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures);
    await new Promise<unknown>((resolve) => {
      const over = AbortSignal.timeout(pause);
      over.addEventListener("abort", resolve);
      addEventListener("online", resolve, { once: true, signal: over });
    });
  }
}
