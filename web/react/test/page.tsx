/** A document for React, on Node's own fetch and sockets: the page is made up, the network is not. */
import { Window } from "happy-dom";
import { act, type ReactNode } from "react";
import { onTestFinished } from "vitest";
import { type AlertStreamOptions, TocsinProvider } from "../src/index.ts";

const window = new Window({ url: "http://console.example.org/" });
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
Object.defineProperty(globalThis, "navigator", { configurable: true, value: window.navigator });
const { createRoot } = await import("react-dom/client");

export interface Page {
  text(): string;
  /** Wait until something is true of the page or of the world. */
  until(condition: () => unknown): Promise<void>;
  leave(): Promise<void>;
}

/** Show something under a provider of this stream until the test is over. */
export function showUnder(stream: AlertStreamOptions, what: ReactNode): Promise<Page> {
  return show(<TocsinProvider stream={stream}>{what}</TocsinProvider>);
}

/** Show something until the test is over. */
export async function show(what: ReactNode): Promise<Page> {
  const place = document.body.appendChild(document.createElement("div"));
  const root = createRoot(place);
  await act(async () => root.render(what));
  let isGone = false;
  const leave = async () => {
    if (isGone) return;
    isGone = true;
    await act(async () => root.unmount());
    place.remove();
  };
  onTestFinished(leave);
  return {
    text: () => place.textContent ?? "",
    leave,
    until: async (condition) => {
      const end = Date.now() + 10_000;
      while (!(await condition())) {
        if (Date.now() > end) throw new Error(`never: ${condition}; the page says: ${place.textContent}`);
        await act(() => new Promise<void>((resolve) => setTimeout(resolve, 5)));
      }
    },
  };
}
