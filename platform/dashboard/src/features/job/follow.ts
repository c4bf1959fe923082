import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

const NEAR = 40;

/** Keeps a box at its end as it grows, unless somebody has scrolled up; `toEnd` goes there and follows again. */
export function useFollow(box: RefObject<HTMLElement | null>, grown: unknown, on: boolean) {
  const [following, setFollowing] = useState(on);
  const state = useRef(following);
  useEffect(() => {
    state.current = following;
  });
  useEffect(() => {
    const element = box.current;
    if (state.current && element) element.scrollTop = element.scrollHeight;
  }, [box, grown, following]);
  const onScroll = useCallback(() => {
    const element = box.current;
    if (!element) return;
    setFollowing(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR);
  }, [box]);
  const toEnd = useCallback(() => setFollowing(true), []);
  return { following, onScroll, toEnd };
}
