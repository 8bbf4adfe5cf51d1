import type { ReactNode } from "react";

export function SignIn(): ReactNode {
  return <main>Sign in</main>;
}
