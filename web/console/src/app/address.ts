/** Where in the console somebody is: a path and a query, both behind the `#`, so that a link can be shared. */
import { useMemo, useSyncExternalStore } from "react";

interface Options {
  /** Instead of the present address, so that Back leads past it. */
  replace?: boolean;
}

function address(): string {
  return location.hash.replace(/^#?\/?/, "/");
}

function subscribe(onChange: () => void): () => void {
  addEventListener("hashchange", onChange);
  return () => removeEventListener("hashchange", onChange);
}

/** Go to a path, with the query that it may have. */
export function goTo(to: string, { replace = false }: Options = {}): void {
  if (to === address()) return;
  const was = location.href;
  history[replace ? "replaceState" : "pushState"](history.state, "", `#${to}`);
  dispatchEvent(new HashChangeEvent("hashchange", { oldURL: was, newURL: location.href }));
}

/** The path alone, for the router to find its page by: the same however a link has escaped it (`:` may be `%3A`). */
export function usePath(): [string, typeof goTo] {
  return [useSyncExternalStore(subscribe, path), goTo];
}

function path(): string {
  const escaped = address().split("?", 1)[0] ?? "/";
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}
usePath.hrefs = (path: string) => `#${path}`;

/** The query of the address. */
export function useQueryOfAddress(): URLSearchParams {
  const now = useSyncExternalStore(subscribe, address);
  return useMemo(() => new URLSearchParams(now.split("?")[1] ?? ""), [now]);
}
