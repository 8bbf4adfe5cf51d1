import { Refused } from "@tocsin/react";
import { type ReactNode, useEffect, useRef } from "react";
import { goTo, useQueryOfAddress } from "../app/address.ts";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Empty } from "../design/Empty.tsx";
import { Page } from "../design/Page.tsx";
import { Spinner } from "../design/Spinner.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import { AlertPage } from "./AlertPage.tsx";
import { AlertTable } from "./AlertTable.tsx";
import { Export } from "./Export.tsx";
import { Filters } from "./Filters.tsx";
import { addressOf, type Filter, filterFrom } from "./filter.ts";
import style from "./History.module.css";
import { useHistory } from "./useHistory.ts";

/** The alarms of the past. What is looked for stands in the address: it can be shared, and Back works. */
export function HistoryPage(): ReactNode {
  const { history: texts } = useStrings();
  const format = useFormats();
  const query = useQueryOfAddress();
  const filter = filterFrom(query);
  const opened = query.get("alert");
  const found = useHistory(filter);
  const { alerts, error, hasNextPage } = found;
  const narrow = (changed: Filter) => goTo(addressOf(changed));
  useReturn(opened);
  if (opened) return <AlertPage key={opened} alertId={opened} backTo={`#${addressOf(filter)}`} />;
  const isFiltered = Object.keys(filter).length > 0;
  return (
    <Page title={texts.title} actions={<Export filter={filter} isOff={alerts.length === 0} />}>
      <Filters filter={filter} onChange={narrow} />
      {found.isOutdated && (
        <Banner>
          {texts.newer} <Button onClick={found.refresh}>{texts.refresh}</Button>
        </Banner>
      )}
      {error && (
        <Banner kind="wrong">
          <p>{error instanceof Refused ? texts.refused(error.message) : texts.failed}</p>
          <Button onClick={found.refresh}>{texts.tryAgain}</Button>
        </Banner>
      )}
      {found.isPending && <Spinner label={texts.loading} />}
      {found.isSuccess && alerts.length === 0 && (
        <Empty title={texts.none}>
          {isFiltered && (
            <>
              <p>{texts.noneHint}</p>
              <Button onClick={() => narrow({})}>{texts.clear}</Button>
            </>
          )}
        </Empty>
      )}
      {alerts.length > 0 && (
        <div className={style.list} aria-busy={found.isPlaceholderData}>
          <p className={style.count} role="status">
            {texts.shown(alerts.length, format.number(alerts.length), !hasNextPage)}
          </p>
          <AlertTable alerts={alerts} addressOf={(alert) => `#${addressOf(filter, alert.alertId)}`} />
          {hasNextPage && (
            <Button
              aria-disabled={found.isFetchingNextPage}
              onClick={() => !found.isFetchingNextPage && found.fetchNextPage()}
            >
              {found.isFetchingNextPage ? texts.loading : texts.more}
            </Button>
          )}
        </div>
      )}
    </Page>
  );
}

/** Whoever comes back to the list from an alarm stands where they left it. */
function useReturn(opened: string | null): void {
  const left = useRef<string>(undefined);
  useEffect(() => {
    if (opened) left.current = opened;
    const alertId = left.current;
    if (opened || !alertId) return;
    left.current = undefined;
    // The table measures its place before it draws its rows.
    requestAnimationFrame(() =>
      document.querySelector<HTMLElement>(`a[href*="alert=${CSS.escape(alertId)}"]`)?.focus(),
    );
  }, [opened]);
}
