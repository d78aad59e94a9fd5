import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { type Plugin, defineConfig } from "vite";

const COMPRESSIBLE = /\.(js|css|html|svg)$/;

/** Writes a .br and a .gz beside every text file: the server compresses nothing itself. */
function precompress(): Plugin {
  let folder = "";
  return {
    name: "precompress",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    async closeBundle() {
      const names = await readdir(folder, { recursive: true });
      for (const name of names.filter((found) => COMPRESSIBLE.test(found))) {
        const path = join(folder, name);
        const content = await readFile(path);
        const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
        await writeFile(`${path}.br`, await promisify(brotliCompress)(content, brotli));
        await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), precompress()],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  build: {
    target: "es2022",
    manifest: true,
    // Inlined files would be data: addresses, which the page's policy allows for pictures alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Together, since every page needs them: by itself, each function of theirs that few pages use becomes a file of forty bytes.
    rolldownOptions: { output: { advancedChunks: { groups: [{ name: "query", test: /node_modules\/@tanstack\/(react-query|query-core)\// }] } } },
    sourcemap: false,
  },
  server: {
    proxy: { "^/(v1|health|metrics|openapi.json)": { target: process.env["FLOWFORGE_DEV_API"] ?? "http://127.0.0.1:8000" } },
  },
});
