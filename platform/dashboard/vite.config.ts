import { brotliCompressSync, gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Beside each asset a `.gz` and a smaller `.br` of it, so that the API serves compressed files without compressing anything. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    generateBundle: {
      // After Vite's own, which puts in what chunks are to be preloaded.
      order: "post",
      handler(_, bundle) {
        for (const [name, file] of Object.entries(bundle)) {
          if (!/\.(js|css|svg)$/.test(name)) continue;
          const source = file.type === "chunk" ? file.code : file.source;
          this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzipSync(source, { level: 9 }) });
          this.emitFile({ type: "asset", fileName: `${name}.br`, source: brotliCompressSync(source) });
        }
      },
    },
  };
}

// Where `mutirao up` listens; the dev server passes on what is not the page's.
const api = process.env.MUTIRAO_URL ?? "http://127.0.0.1:8000";
// With a key in the environment nobody has to sign in to a page under development.
const key = process.env.MUTIRAO_KEY;

export default defineConfig(({ command }) => ({
  // Relative in the build: `<base>` says where the page lives, which may be behind a proxy's prefix.
  base: command === "build" ? "./" : "/ui/",
  plugins: [react(), tailwindcss(), precompressed()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { host: "127.0.0.1", proxy: { "^/(?!ui/)": { target: api, headers: key ? { authorization: `Bearer ${key}` } : {} } } },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"] },
}));
