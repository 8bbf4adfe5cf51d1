import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import { Banner } from "./Banner.tsx";
import { Button } from "./Button.tsx";
import { Spinner } from "./Spinner.tsx";

/** What a question was answered with; until then that it is under way, or that it has failed and can be asked again. */
export function Answer<T>({
  query,
  children,
}: {
  query: Pick<UseQueryResult<T>, "data" | "isError" | "refetch">;
  children: (data: T) => ReactNode;
}): ReactNode {
  const { admin } = useStrings();
  if (query.data !== undefined) return children(query.data);
  if (!query.isError) return <Spinner label={admin.loading} />;
  return (
    <Banner kind="wrong">
      <p>{admin.failed}</p>
      <Button onClick={() => query.refetch()}>{admin.tryAgain}</Button>
    </Banner>
  );
}
