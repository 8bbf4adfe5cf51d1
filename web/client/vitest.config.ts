import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    // A token function that keeps a promise for ever, a storage that rejects: whatever nobody catches fails the tests.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
