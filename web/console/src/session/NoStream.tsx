import { type ReactNode, useState } from "react";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import { Outside } from "./Outside.tsx";
import { useMe, useSession } from "./Session.tsx";

/** What an account is shown that sees no alarms: a machine's, or one without a role. */
export function NoStream(): ReactNode {
  const { session } = useStrings();
  const { leave } = useSession();
  const { email, roles } = useMe();
  const [hasFailed, setFailed] = useState(false);
  const isMachine = roles.includes("device");
  return (
    <Outside>
      <h1>{isMachine ? session.machineTitle : session.noRolesTitle}</h1>
      <p>{isMachine ? session.machine(email) : session.noRoles(email)}</p>
      {hasFailed && <Banner kind="wrong">{session.noAnswer}</Banner>}
      <Button
        kind="primary"
        onClick={() => {
          setFailed(false);
          leave().catch(() => setFailed(true));
        }}
      >
        {session.signOut}
      </Button>
    </Outside>
  );
}
