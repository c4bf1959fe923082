import { brotliCompressSync, gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type Rolldown } from "vite";

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

// A browser has six connections, and each file waits for one: what every visitor needs is one file, and what only few
// pages share is put together with what nearly the same pages need.
const FIRST = ["/src/main.tsx", "/src/features/jobs/page.tsx"];
const SMALL_BYTES = 20_000; // before it is minified

/** Whether a module is part of what `FIRST` imports, the page that most people see first. */
function isFirst(id: string, context: Rolldown.ChunkingContext): boolean {
  const seen = new Set<string>();
  const visit = (each: string): boolean => {
    if (FIRST.some((end) => each.endsWith(end))) return true;
    if (seen.has(each)) return false;
    seen.add(each);
    return context.getModuleInfo(each)?.importers.some(visit) ?? false;
  };
  return visit(id);
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
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800, // kB before compression; what may be sent first is tested
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { debugName: "first", name: (id, context) => (isFirst(id, context) ? "first" : null), priority: 1 },
            { name: "shared", minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: SMALL_BYTES },
          ],
        },
        chunkFileNames: ({ name }) => `assets/${name.split("~", 1)[0]}-[hash].js`,
      },
    },
  },
  server: { host: "127.0.0.1", proxy: { "^/(?!ui/)": { target: api, headers: key ? { authorization: `Bearer ${key}` } : {} } } },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"] },
}));
