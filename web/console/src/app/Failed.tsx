import { type ReactNode, useEffect } from "react";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Failed.module.css";
import { Unwatched } from "./Unwatched.tsx";

const AGAIN_AFTER_MS = 10_000;

/** In place of all of the console: an alarm, and the console again after a while, by itself. */
export function ConsoleFailed({ again }: { again: () => void }): ReactNode {
  const { failed } = useStrings().app;
  useAgain(again);
  return (
    <main>
      <Unwatched heading={failed.console}>
        <p>{failed.again}</p>
        {/* A new page needs a click before it may sound, so that nobody but a person asks for one. */}
        <Button onClick={() => location.reload()}>{failed.reload}</Button>
      </Unwatched>
    </main>
  );
}

/** In place of a page; the alarms beside it go on. */
export function PageFailed({ again }: { again: () => void }): ReactNode {
  const { failed } = useStrings().app;
  return (
    <Banner kind="wrong">
      <div className={style.failed}>
        <p>{failed.page}</p>
        <Button onClick={again}>{failed.tryAgain}</Button>
      </div>
    </Banner>
  );
}

/** In place of a small part, such as a tile; it comes back by itself when it can. */
export function PartFailed({ what, again }: { what: string; again: () => void }): ReactNode {
  const { failed } = useStrings().app;
  useAgain(again);
  return <Banner kind="wrong">{failed.part(what)}</Banner>;
}

/** What has failed for a passing reason is not left to somebody who may not come by. */
function useAgain(again: () => void): void {
  useEffect(() => {
    const timer = setTimeout(again, AGAIN_AFTER_MS);
    return () => clearTimeout(timer);
  }, [again]);
}
