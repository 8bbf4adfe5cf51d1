import { useEffect, useLayoutEffect, useRef } from "react";

/** Begins every page at its top, but for the ward, which is found again as it was left: whichever of the two scrolls. */
export function useScroll(path: string): void {
  const here = useRef(path);
  const ofWard = useRef(0);

  useEffect(() => {
    const remember = () => {
      if (here.current === "/") ofWard.current = Math.max(content()?.scrollTop ?? 0, scrollY);
    };
    document.addEventListener("scroll", remember, { capture: true, passive: true });
    return () => document.removeEventListener("scroll", remember, { capture: true });
  }, []);

  useLayoutEffect(() => {
    here.current = path;
    const top = path === "/" ? ofWard.current : 0;
    content()?.scrollTo(0, top);
    // With little height it is the document that scrolls; after signing in it stands where the form has left it.
    scrollTo(0, top);
  }, [path]);
}

function content(): HTMLElement | null {
  return document.getElementById("content");
}
