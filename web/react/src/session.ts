/** Signing in and out with cookies, as pages do. */
import { type Connection, call, type Me } from "@tocsin/client";

/** Sign in; the cookies that this sets go with every later request by themselves. Throws `Refused`. */
export function signIn(baseUrl: string | undefined, email: string, password: string): Promise<Me> {
  return call({ auth: "cookie", baseUrl }, "post", "/api/v1/login/cookie", {
    body: { email, password },
  } as never) as Promise<Me>;
}

/** Sign out, which ends every stream of this sign-in. */
export async function signOut(baseUrl?: string): Promise<void> {
  await call({ auth: "cookie", baseUrl }, "post", "/api/v1/logout");
}

/** Who is signed in. Throws `Refused` with status 401 where nobody is. */
export function whoAmI(connection: Connection): Promise<Me> {
  return call(connection, "get", "/api/v1/users/me");
}
