import { type Alert, type Call, type components, Refused, useCall, useServerClock } from "@tocsin/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { Spinner } from "../design/Spinner.tsx";
import { useToast } from "../design/Toast.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import { csvOf } from "./csv.ts";
import { type Filter, type Question, questionOf } from "./filter.ts";
import style from "./History.module.css";

const PAGE = 500;

/** Saves all alarms that the filter lets through as a file, however many pages that takes. */
export function Export({ filter, isOff }: { filter: Filter; isOff: boolean }): ReactNode {
  const strings = useStrings();
  const texts = strings.history.csv;
  const format = useFormats();
  const nameOf = usePatientName();
  const call = useCall();
  const clock = useServerClock();
  const say = useToast();
  const [count, setCount] = useState<number>();
  const [failure, setFailure] = useState<string>();
  const end = useRef<AbortController>(undefined);
  useEffect(() => () => end.current?.abort(), []);

  const stop = () => {
    end.current?.abort();
    setCount(undefined);
    setFailure(undefined);
  };
  const start = async () => {
    const controller = new AbortController();
    end.current = controller;
    setCount(0);
    try {
      const now = clock();
      const alerts = await everyAlert(call, questionOf(filter, now), controller.signal, setCount);
      const day = new Date(now).toISOString().slice(0, 10);
      save(texts.file(day), csvOf(alerts, nameOf, strings));
      say(texts.done(alerts.length, format.number(alerts.length)));
      setCount(undefined);
    } catch (error) {
      if (controller.signal.aborted) return;
      setFailure(error instanceof Refused ? strings.history.refused(error.message) : texts.failed);
    }
  };
  return (
    <>
      <Button onClick={start} disabled={isOff}>
        {texts.button}
      </Button>
      {count !== undefined && (
        <Dialog title={texts.title} onClose={stop}>
          <div className={style.progress}>
            {failure ? (
              <Banner kind="wrong">{failure}</Banner>
            ) : (
              <Spinner label={texts.progress(count, format.number(count))} />
            )}
            <div className={style.buttons}>
              <Button onClick={stop}>{texts.cancel}</Button>
            </div>
          </div>
        </Dialog>
      )}
    </>
  );
}

async function everyAlert(
  call: Call,
  question: Question,
  signal: AbortSignal,
  onProgress: (count: number) => void,
): Promise<Alert[]> {
  const alerts: Alert[] = [];
  let cursor: string | null = null;
  do {
    const page: components["schemas"]["AlertPage"] = await call("get", "/api/v1/alerts", {
      query: { ...question, cursor, limit: PAGE },
      signal,
    });
    alerts.push(...page.alerts);
    onProgress(alerts.length);
    cursor = page.nextCursor;
  } while (cursor);
  return alerts;
}

/** Have the browser save a text as a file. */
function save(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  // Taken away at once, it would be gone before it is read.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
