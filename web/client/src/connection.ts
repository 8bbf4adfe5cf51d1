/** Requests to a server: who asks, what a refusal is, and what time it is there. */
import type { Problem } from "./types.ts";

/**
 * How requests are signed in: with the cookies of `signIn`, or with a token.
 *
 * The function is asked before each request, so that it may refresh; `wasRefused` says that the token which it gave
 * last is no good.
 */
export type Auth = "cookie" | ((wasRefused: boolean) => string | Promise<string>);

export interface Connection {
  /** Where the server is, such as `https://tocsin.example.org`; in a browser the page's own origin if left out. */
  baseUrl?: string;
  auth: Auth;
}

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

/** The server said no. `status` and the stable `code` say why, and `problem` has everything that it said. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Partial<Problem> & Record<string, unknown>;
  /** How long to wait at least before asking again, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(response: Response, problem: Refused["problem"]) {
    super(problem.detail ?? `the server answered with ${response.status}`);
    this.name = "Refused";
    this.status = response.status;
    this.code = problem.code ?? "";
    this.problem = problem;
    this.retryAfterMs = (Number(response.headers.get("Retry-After")) || 0) * 1000;
  }

  /** Whether the same request may succeed later; 204 tells an event stream to stay away (HTML standard, 9.2). */
  get isFinal(): boolean {
    return this.status < 500 && ![408, 425, 429].includes(this.status);
  }
}

const REFRESH = "/api/v1/refresh-token";
const refreshing = new Map<string, Promise<boolean>>();

/**
 * Ask, and once more after a 401 with what is fresh then.
 *
 * Throws `Refused` for every answer but a success, and whatever `fetch` throws where there is no answer.
 */
export async function request(connection: Connection, path: string, options: RequestOptions = {}): Promise<Response> {
  let response = await send(connection, path, options, false);
  if (response.status === 401) {
    const isFresh = connection.auth !== "cookie" || (await refresh(connection));
    if (isFresh) {
      await response.body?.cancel();
      response = await send(connection, path, options, true);
    }
  }
  if (response.ok && response.status !== 204) return response;
  if (response.status === 204 && options.method) return response;
  throw new Refused(response, await response.json().catch(() => ({})));
}

async function send(
  connection: Connection,
  path: string,
  { headers, ...options }: RequestOptions,
  wasRefused: boolean,
): Promise<Response> {
  const { baseUrl = "", auth } = connection;
  const isCookie = auth === "cookie";
  const sentAt = Date.now();
  const response = await fetch(baseUrl + path, {
    ...options,
    headers: { ...headers, ...(isCookie ? {} : { Authorization: `Bearer ${await auth(wasRefused)}` }) },
    credentials: isCookie ? "include" : "omit",
    cache: "no-store",
  } as RequestInit);
  learnTime(baseUrl, Date.parse(response.headers.get("Date") ?? ""), sentAt);
  return response;
}

/** Renew the cookies. A refresh token is good for one use, so that of all tabs only one may use it at a time. */
function refresh({ baseUrl = "" }: Connection): Promise<boolean> {
  const renew = async () => {
    const response = await fetch(baseUrl + REFRESH, { method: "POST", credentials: "include" });
    if (response.status >= 500) throw new Refused(response, {});
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

/** Between which bounds the server's clock is ahead of ours, in milliseconds. */
const clocks = new Map<string, [least: number, most: number]>();

/**
 * The server's time, in milliseconds of the epoch, as well as its answers tell.
 *
 * Ages and countdowns on a screen whose own clock is wrong would be wrong, too.
 */
export function serverNow({ baseUrl = "" }: { baseUrl?: string }): number {
  const [least, most] = clocks.get(baseUrl) ?? [0, 0];
  return Date.now() + (least + most) / 2;
}

/** `Date` is in whole seconds, and was written between sending and receiving: each answer narrows the bounds. */
function learnTime(baseUrl: string, date: number, sentAt: number): void {
  if (!date) return;
  const [least, most] = clocks.get(baseUrl) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const bounds: [number, number] = [date - Date.now(), date + 1000 - sentAt];
  const both: [number, number] = [Math.max(least, bounds[0]), Math.min(most, bounds[1])];
  // Bounds that exclude each other: one of the clocks was set.
  clocks.set(baseUrl, both[0] <= both[1] ? both : bounds);
}
