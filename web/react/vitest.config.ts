import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 30_000,
    // Node has sockets of its own from 22 on, and hides them before.
    execArgv: Number.parseInt(process.versions.node, 10) < 22 ? ["--experimental-websocket"] : [],
  },
});
