import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  base: "/",
  resolve: { conditions: ["tocsin-source", "module", "browser", "development|production"] },
  // Tests take the source of the other workspaces, too.
  ssr: { resolve: { conditions: ["tocsin-source", "module", "node", "development|production"] } },
  build: {
    target: "es2022",
    // The page's Content-Security-Policy allows nothing inline, data: addresses included.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // `npm run dev` beside a running server; the API takes the page's requests as its own.
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", ws: true } } },
});
