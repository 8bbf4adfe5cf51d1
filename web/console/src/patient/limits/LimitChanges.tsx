import { useInfiniteQuery } from "@tanstack/react-query";
import { type components, useCall } from "@tocsin/react";
import type { ReactNode } from "react";
import { Button } from "../../design/Button.tsx";
import { useFormats } from "../../design/useFormats.ts";
import { useStrings } from "../../strings/index.tsx";
import { differences } from "./changes.ts";
import { writtenLimit } from "./draft.ts";
import style from "./Limits.module.css";

type Change = components["schemas"]["LimitChange"];

const PATH = "/api/v1/patients/{patientId}/limits/changes";

/** What the changes of a patient's limits are kept as. */
export function changesKey(patientId: string): string[] {
  return [PATH, patientId];
}

/** Who has changed which limit, when and why, newest first. */
export function LimitChanges({ patientId }: { patientId: string }): ReactNode {
  const { limits: strings } = useStrings().patient;
  const call = useCall();
  const { data, isError, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: changesKey(patientId),
    queryFn: ({ pageParam, signal }) =>
      call("get", PATH, { path: { patientId }, query: { limit: 20, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const changes = data?.pages.flatMap((page) => page.changes) ?? [];
  return (
    <section className={style.changes} aria-labelledby="limit-changes">
      <h3 id="limit-changes">{strings.changes}</h3>
      {isError && <p role="alert">{strings.failed}</p>}
      {data && changes.length === 0 && <p className={style.hint}>{strings.noChanges}</p>}
      <ol>
        {changes.map((change) => (
          <ChangeItem key={change.number} change={change} />
        ))}
      </ol>
      {hasNextPage && (
        <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {strings.more}
        </Button>
      )}
    </section>
  );
}

function ChangeItem({ change }: { change: Change }): ReactNode {
  const all = useStrings();
  const { limits: strings } = all.patient;
  const point = all.vitals.decimalPoint;
  const formats = useFormats();
  const value = (limit: number | undefined) => (limit === undefined ? strings.inherited : writtenLimit(limit, point));
  return (
    <li className={style.change}>
      <p className={style.hint}>
        <time dateTime={change.changedAt}>{formats.moment(change.changedAt)}</time> · {change.changedBy.name}
      </p>
      <ul>
        {differences(change).map(({ condition, tier, before, after }) => (
          <li key={`${condition} ${tier}`}>
            {strings.conditionName(condition)} ({strings.tiers[tier as "slight"] ?? tier}): {value(before)} →{" "}
            <b>{value(after)}</b>
          </li>
        ))}
        {change.after.spo2Scale != null && change.after.spo2Scale !== change.before.spo2Scale && (
          <li>{strings.scale(change.after.spo2Scale)}</li>
        )}
      </ul>
      <p>{strings.quoted(change.reason)}</p>
    </li>
  );
}
