/** Lets a finger do on a chart what uPlot leaves to the mouse: moving along shows values, and draws a stretch to zoom. */

const AS_MOUSE = { pointerdown: "mousedown", pointermove: "mousemove", pointerup: "mouseup" } as const;

/** Pass the moves of a finger on to the chart; moving up and down still scrolls the page (`touch-action: pan-y`). */
export function takeTouches(over: HTMLElement): void {
  const pass = (event: PointerEvent) => {
    if (event.pointerType !== "touch") return;
    const { clientX, clientY } = event;
    // uPlot passes over moves of no distance, and a made event has none of its own.
    const tell = (type: string) =>
      over.dispatchEvent(new MouseEvent(type, { clientX, clientY, movementX: 1, bubbles: true, view: window }));
    // A finger is not anywhere before it touches: the chart learns where it is first.
    if (event.type === "pointerdown") tell("mousemove");
    tell(AS_MOUSE[event.type as keyof typeof AS_MOUSE]);
  };
  for (const type of Object.keys(AS_MOUSE)) over.addEventListener(type, pass as EventListener);
  // The page has taken the move for itself, as scrolling: what was begun is let go where it was.
  over.addEventListener("pointercancel", () => over.dispatchEvent(new MouseEvent("mouseup", { bubbles: true })));
}
