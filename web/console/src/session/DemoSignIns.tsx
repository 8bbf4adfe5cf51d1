import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import { DEMO_ACCOUNTS, DEMO_PASSWORD } from "./demo.ts";
import style from "./SignIn.module.css";

/** Where the server says that it is the demo: a button for each of the accounts that everybody knows. */
export function DemoSignIns({ onChoose }: { onChoose: (email: string, password: string) => void }): ReactNode {
  const { session, roles } = useStrings();
  const health = useQuery({ queryKey: ["/healthz"], queryFn: askHealth, staleTime: Number.POSITIVE_INFINITY });
  if (!health.data?.demo) return null;
  return (
    <section className={style.demo}>
      <h2>{session.demoTitle}</h2>
      <p>{session.demo}</p>
      <ul className={style.accounts}>
        {DEMO_ACCOUNTS.map(({ role, email }) => (
          <li key={email}>
            <Button onClick={() => onChoose(email, DEMO_PASSWORD)}>{roles[role]}</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Asked without any sign-in, and so outside of the provider of the other calls. */
async function askHealth(): Promise<{ demo?: boolean }> {
  const answer = await fetch("/healthz", { credentials: "omit" });
  return answer.ok ? answer.json() : {};
}
