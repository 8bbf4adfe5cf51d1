/** What the tests on the hostile server have in common: one server for each, and a stream that follows it. */
import { afterEach, beforeEach } from "vitest";
import { HostileServer } from "./hostile-server.ts";
import { type Watched, watch } from "./watching.ts";
import { alert, opened, ready, scope, told } from "./words.ts";

export let server: HostileServer;

beforeEach(async () => {
  server = await HostileServer.start();
});
afterEach(() => server.close());

export const SNAPSHOT = opened(false) + scope(["bed-1"], ["nurse"]) + told(alert("a")) + told(alert("b")) + ready(4);

export function follow(options: Parameters<typeof watch>[0] = {}): Watched {
  return watch({ baseUrl: server.baseUrl, ...options });
}
