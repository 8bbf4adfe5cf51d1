/** Any call of the API, with the types of its OpenAPI document. */
import { type Connection, type RequestOptions, request } from "./connection.ts";
import type { paths } from "./openapi.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that know a method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [method in M]: { responses: unknown } } ? P : never;
}[keyof paths];

type Operation<M extends Method, P extends PathOf<M>> = paths[P][M];

type Part<T, K extends string> = T extends { parameters: { [key in K]?: infer V } }
  ? [V] extends [never | undefined]
    ? unknown
    : { [key in K]: V } | (undefined extends V ? Record<never, never> : never)
  : unknown;

type BodyOf<T> = T extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : T extends { requestBody?: { content: { "application/json": infer B } } }
    ? { body?: B }
    : unknown;

/** What a call takes: `path` and `query` parameters, and the `body`. */
export type InputOf<M extends Method, P extends PathOf<M>> = Part<Operation<M, P>, "path"> & {
  query?: NonNullable<Operation<M, P> extends { parameters: { query?: infer Q } } ? Q : never>;
} & BodyOf<Operation<M, P>> & { signal?: AbortSignal | undefined };

type Content<R> = R extends { content: { "application/json": infer A } } ? A : undefined;

/** What a call answers with when it succeeds. */
export type OutputOf<M extends Method, P extends PathOf<M>> =
  Operation<M, P> extends { responses: infer R }
    ? { [S in keyof R & (200 | 201 | 204)]: Content<R[S]> }[keyof R & (200 | 201 | 204)]
    : never;

interface AnyInput {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** A server that says nothing for so long does not answer. */
const ANSWERED_WITHIN_MS = 10_000;

/**
 * Call the API.
 *
 * Throws `Refused` when the server says no, a `TimeoutError` when it does not answer within 10 s, and whatever `fetch`
 * throws when it cannot be reached.
 */
export async function call<M extends Method, P extends PathOf<M>>(
  connection: Connection,
  method: M,
  path: P,
  input?: InputOf<M, P>,
): Promise<OutputOf<M, P>> {
  const { path: named = {}, query, body, signal } = (input ?? {}) as AnyInput;
  const late = AbortSignal.timeout(ANSWERED_WITHIN_MS);
  const options: RequestOptions = {
    method: method.toUpperCase(),
    signal: AbortSignal.any([late, signal ?? late]),
    ...(body !== undefined && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  };
  const filled = path.replace(/{(\w+)}/g, (_, name: string) => encodeURIComponent(named[name] ?? ""));
  const response = await request(connection, filled + searchOf(query), options);
  return response.status === 204 ? (undefined as OutputOf<M, P>) : response.json();
}

/** The query of an address, without what is missing. */
export function searchOf(query: Record<string, unknown> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  return given.length ? `?${new URLSearchParams(given as [string, string][])}` : "";
}
