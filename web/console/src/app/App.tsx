import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { TocsinProvider } from "@tocsin/react";
import { type ReactNode, useMemo } from "react";
import { Route, Router, Switch } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { AdminPage } from "../admin/AdminPage.tsx";
import { HistoryPage } from "../history/HistoryPage.tsx";
import { PatientPage } from "../patient/PatientPage.tsx";
import { streamOf } from "../session/audience.ts";
import { SessionProvider, useSession } from "../session/Session.tsx";
import { SignIn } from "../session/SignIn.tsx";
import { StringsProvider } from "../strings/index.tsx";
import { WardView } from "../ward/WardView.tsx";
import { Shell } from "./Shell.tsx";

const queries = new QueryClient();

/** The whole console: whoever is signed in gets the ward, everybody else the sign-in. */
export function App(): ReactNode {
  return (
    <StringsProvider>
      <QueryClientProvider client={queries}>
        <SessionProvider>
          <Gate />
        </SessionProvider>
      </QueryClientProvider>
    </StringsProvider>
  );
}

function Gate(): ReactNode {
  const { me } = useSession();
  const stream = useMemo(() => (me ? streamOf(me) : null), [me]);
  if (me === undefined) return null;
  if (me === null || stream === null) return <SignIn />;
  return (
    <TocsinProvider stream={stream}>
      <Router hook={useHashLocation}>
        <Shell>
          <Switch>
            <Route path="/patients/:patientId">{({ patientId }) => <PatientPage patientId={patientId} />}</Route>
            <Route path="/history" component={HistoryPage} />
            <Route path="/admin/:part?">{({ part }) => <AdminPage part={part} />}</Route>
            <Route component={WardView} />
          </Switch>
        </Shell>
      </Router>
    </TocsinProvider>
  );
}
