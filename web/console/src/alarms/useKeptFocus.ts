import type { Alert } from "@tocsin/react";
import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

/** What an alarm of the list is focused by. */
export const ROW_FOCUS = "[data-row-focus]";

/**
 * Keeps the focus in the list while alarms come, go and change places.
 *
 * A row that is moved or removed takes the focus with it. It goes back to the same alarm, else to that which has moved
 * up to its place, else to the heading: whoever works by keyboard never starts again from the top of the page.
 */
export function useKeptFocus(list: RefObject<HTMLElement | null>, ordered: readonly Alert[]): void {
  const last = useRef<{ alertId: string; index: number } | undefined>(undefined);
  const order = useRef(ordered);
  order.current = ordered;

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const remember = ({ target }: FocusEvent) => {
      const row = target instanceof Element ? target.closest<HTMLElement>("[data-alert-id]") : null;
      const alertId = row?.dataset.alertId;
      const index = order.current.findIndex((it) => it.alertId === alertId);
      last.current = alertId && index >= 0 ? { alertId, index } : undefined;
    };
    // Who leaves the list by themselves is not called back into it.
    const forget = ({ relatedTarget }: FocusEvent) => {
      if (relatedTarget instanceof Node && !element.contains(relatedTarget)) last.current = undefined;
    };
    element.addEventListener("focusin", remember);
    element.addEventListener("focusout", forget);
    return () => {
      element.removeEventListener("focusin", remember);
      element.removeEventListener("focusout", forget);
    };
  }, [list]);

  useLayoutEffect(() => {
    const known = last.current;
    if (!known || document.activeElement !== document.body) return;
    const again = ordered.findIndex(({ alertId }) => alertId === known.alertId);
    const index = again >= 0 ? again : Math.min(known.index, ordered.length - 1);
    const rows = list.current?.querySelectorAll<HTMLElement>(ROW_FOCUS);
    (rows?.[index] ?? list.current?.querySelector<HTMLElement>("h2"))?.focus();
  }, [list, ordered]);
}

/** Move the focus to the next or the previous alarm, or into the list where it is elsewhere. */
export function moveInList(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>(`[data-testid="alarm-list"] ${ROW_FOCUS}`)];
  const current = document.activeElement?.closest("[data-alert-id]");
  const at = rows.findIndex((row) => current?.contains(row));
  const index = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step));
  const row = rows[index];
  row?.focus({ preventScroll: true });
  row?.closest("[data-alert-id]")?.scrollIntoView({ block: "nearest" });
}

/** The alarm that the focus is on, in the list or on a tile. */
export function focusedAlarm(): string | undefined {
  return document.activeElement?.closest<HTMLElement>("[data-alert-id]")?.dataset.alertId;
}
