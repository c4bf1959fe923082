import { createElement, use, type ComponentType } from "react";
import { backoff } from "./backoff";

// For a browser that does not say when it is idle.
const IDLE_AFTER = 400;
// A page that has been loaded anew so short a time ago is not loaded anew again: what is missing is missing on the server.
const JUST_NOW = 15_000;
const RELOADED = "mutirao.reloaded";

/** A component whose code comes when it is first shown, and until then suspends; `preload` has it come earlier. */
export function lazyComponent<P extends object>(code: () => Promise<{ default: ComponentType<P> }>) {
  let here: ComponentType<P> | null = null;
  let coming: Promise<void> | null = null;
  const ask = async () => {
    here = (await code()).default;
  };

  function LazyComponent(props: P) {
    if (!here) use((coming ??= wanted(ask)));
    return createElement(here!, props);
  }
  // Nobody waits for it yet: that it fails is told to whoever does.
  return Object.assign(LazyComponent, { preload: () => ask().catch(() => {}) });
}

/** Have the code of what is shown next as soon as the page has nothing else to do. Returns how to stop it. */
export function preloadWhenIdle(components: readonly { preload(): Promise<void> }[]): () => void {
  const preload = () => components.forEach((each) => void each.preload());
  if (typeof requestIdleCallback === "undefined") {
    const timer = setTimeout(preload, IDLE_AFTER);
    return () => clearTimeout(timer);
  }
  const idle = requestIdleCallback(preload);
  return () => cancelIdleCallback(idle);
}

/** Code that the page needs and the server does not have, though it answers. */
export class MissingCode extends Error {
  override readonly name = "MissingCode";
}

/**
 * What a dynamic import gives, however long the server is away.
 *
 * A browser does not ask again for a module that it once did not get (https://github.com/whatwg/html/issues/6768), and a
 * newer build of the page serves others: so the page is loaded anew as soon as the server answers. What it shows is in
 * its address. Fails with `MissingCode` if that has been tried just now.
 */
export async function wanted<T>(code: () => Promise<T>): Promise<T> {
  try {
    return await code();
  } catch (error) {
    await answers();
    const last = Number(sessionStorage.getItem(RELOADED));
    if (Date.now() - last < JUST_NOW) throw new MissingCode(String(error), { cause: error });
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
    const pause = backoff(failures);
    await new Promise<unknown>((resolve) => {
      const over = AbortSignal.timeout(pause);
      over.addEventListener("abort", resolve);
      addEventListener("online", resolve, { once: true, signal: over });
    });
  }
}
