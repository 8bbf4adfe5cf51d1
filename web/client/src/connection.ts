/** Requests to a server: who asks, what a refusal is, and what time it is there. */
import { unlessAborted } from "./backoff.ts";
import type { Problem } from "./types.ts";

/**
 * How requests are signed in: with the cookies of `signIn`, or with a token.
 *
 * The function is asked before each request, so that it may refresh; `wasRefused` says that the token which it gave
 * last is no good. One that throws counts as no answer of the server: it is asked again later.
 */
export type Auth = "cookie" | ((wasRefused: boolean) => string | Promise<string>);

export interface Connection {
  /** Where the server is, such as `https://tocsin.example.org`; in a browser the page's own origin if left out. */
  baseUrl?: string | undefined;
  auth: Auth;
}

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Ends the request; it lives no longer than this, since nobody takes back what listens to it. */
  signal: AbortSignal;
}

/** The whole address of a path. Throws `TypeError` where there is none: outside of pages, without a `baseUrl`. */
export function addressOf({ baseUrl = "" }: Pick<Connection, "baseUrl">, path: string): URL {
  return new URL(baseUrl.replace(/\/$/, "") + path, globalThis.location?.href);
}

/** The server said no. `status` and the stable `code` say why, and `problem` has everything that it said. */
export class Refused extends Error {
  declare readonly status: number;
  declare readonly code: string;
  declare readonly problem: Partial<Problem> & Record<string, unknown>;
  /** Whether the same request would be refused later, too. */
  declare readonly isFinal: boolean;
  /** How long to wait at least before asking again, in milliseconds. */
  declare readonly retryAfterMs: number;

  constructor({ status, headers }: Response, problem: Refused["problem"]) {
    super(problem.detail ?? String(status));
    Object.assign(this, {
      name: "Refused",
      status,
      isFinal: status < 500 && ![408, 425, 429].includes(status),
      code: problem.code ?? "",
      problem,
      retryAfterMs: (Number(headers.get("Retry-After")) || 0) * 1000,
    });
  }
}

const REFRESH = "/api/v1/refresh-token";
const REFRESHED_WITHIN_MS = 10_000;
const refreshing = new Map<string, Promise<boolean>>();

/**
 * Ask, and once more after a 401 with what is fresh then.
 *
 * Throws `Refused` for every answer but a success, and whatever `fetch` throws where there is no answer.
 */
export async function request(connection: Connection, path: string, options: RequestOptions): Promise<Response> {
  let response = await send(connection, path, options, false);
  if (response.status === 401 && (connection.auth !== "cookie" || (await refresh(connection)))) {
    await response.body?.cancel();
    response = await send(connection, path, options, true);
  }
  // 204 is an answer to a call; an event stream it tells to stay away (HTML standard, 9.2).
  if (response.ok && (options.method || response.status !== 204)) return response;
  throw new Refused(response, await response.json().catch(() => ({})));
}

async function send(
  connection: Connection,
  path: string,
  { headers, ...options }: RequestOptions,
  wasRefused: boolean,
): Promise<Response> {
  const { baseUrl = "", auth } = connection;
  let credentials: RequestCredentials = "include";
  if (auth !== "cookie") {
    credentials = "omit";
    headers = { ...headers, Authorization: `Bearer ${await unlessAborted(options.signal, auth(wasRefused))}` };
  }
  const sentAt = Date.now();
  const response = await fetch(addressOf(connection, path), {
    ...options,
    headers: headers ?? {},
    credentials,
    cache: "no-store",
  });
  learnTime(baseUrl, Date.parse(response.headers.get("Date") ?? ""), sentAt);
  return response;
}

/**
 * Renew the cookies; gives whether they are good now. Throws where the server did not say.
 *
 * A refresh token is good for one use, so that of all tabs only one may use it at a time.
 */
function refresh(connection: Connection): Promise<boolean> {
  const { baseUrl = "" } = connection;
  const renew = async () => {
    const response = await fetch(addressOf(connection, REFRESH), {
      method: "POST",
      credentials: "include",
      signal: AbortSignal.timeout(REFRESHED_WITHIN_MS),
    });
    const refused = new Refused(response, {});
    if (!response.ok && !refused.isFinal) throw refused;
    return response.ok;
  };
  const locks = globalThis.navigator?.locks;
  let underWay = refreshing.get(baseUrl);
  if (!underWay) {
    underWay = Promise.resolve(locks ? locks.request(`tocsin.refresh ${baseUrl}`, renew) : renew()).finally(() =>
      refreshing.delete(baseUrl),
    );
    refreshing.set(baseUrl, underWay);
  }
  return underWay;
}

/** How far the server's clock is ahead of ours, in milliseconds. */
const clocks = new Map<string, number>();

/** More than the whole second of `Date` and a slow answer explain: one of the clocks was set. */
const CLOCK_WAS_SET_MS = 5_000;

/** Of each answer so much is believed, so that the rounding of `Date` to whole seconds averages out. */
const BELIEVED = 1 / 8;

/**
 * The server's time, in milliseconds of the epoch, as well as its answers tell.
 *
 * Ages and countdowns on a screen whose own clock is wrong would be wrong, too.
 */
export function serverNow({ baseUrl = "" }: Pick<Connection, "baseUrl">): number {
  return Date.now() + (clocks.get(baseUrl) ?? 0);
}

function learnTime(baseUrl: string, date: number, sentAt: number): void {
  // `Date` is in whole seconds, and was written somewhere between sending and receiving.
  const ahead = date + 500 - (sentAt + Date.now()) / 2;
  const known = clocks.get(baseUrl) ?? ahead;
  const differs = ahead - known;
  if (date) clocks.set(baseUrl, known + differs * (Math.abs(differs) > CLOCK_WAS_SET_MS ? 1 : BELIEVED));
}
