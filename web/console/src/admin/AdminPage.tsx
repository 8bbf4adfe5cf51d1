import type { ReactNode } from "react";
import { Empty } from "../design/Empty.tsx";
import { Page } from "../design/Page.tsx";
import { Tabs } from "../design/Tabs.tsx";
import { useMe } from "../session/Session.tsx";
import { useStrings } from "../strings/index.tsx";
import { CareTeams } from "./CareTeams.tsx";
import { Patients } from "./Patients.tsx";
import { Rules } from "./Rules.tsx";
import { System } from "./System.tsx";
import { Users } from "./Users.tsx";

const PARTS = { system: System, users: Users, patients: Patients, "care-teams": CareTeams, rules: Rules };
type Part = keyof typeof PARTS;

/** What admins look after; others are told plainly that it is not theirs. */
export function AdminPage({ part }: { part: string | undefined }): ReactNode {
  const { admin } = useStrings();
  const { roles } = useMe();
  const current: Part = part && Object.hasOwn(PARTS, part) ? (part as Part) : "system";
  const Shown = PARTS[current];
  if (!roles.includes("admin")) {
    return (
      <Page title={admin.title}>
        <Empty title={admin.notAllowed}>
          <p>{admin.notAllowedHint}</p>
        </Empty>
      </Page>
    );
  }
  return (
    <Page title={admin.title}>
      <Tabs
        label={admin.title}
        tabs={(Object.keys(PARTS) as Part[]).map((it) => ({
          href: `#/admin/${it}`,
          text: admin.parts[it],
          isCurrent: it === current,
        }))}
      />
      <Shown />
    </Page>
  );
}
