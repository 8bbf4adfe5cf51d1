import type { ReactNode } from "react";
import { Spinner } from "../design/Spinner.tsx";
import { useStrings } from "../strings/index.tsx";
import { Outside } from "./Outside.tsx";
import { useSession } from "./Session.tsx";

/** Until the server has said who is signed in. */
export function Arriving(): ReactNode {
  const { session } = useStrings();
  const { isServerSilent } = useSession();
  if (!isServerSilent) return <Spinner label={session.asking} />;
  return (
    <Outside>
      <Spinner label={session.serverSilent} />
    </Outside>
  );
}
