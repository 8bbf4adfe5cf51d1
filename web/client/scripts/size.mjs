/** Says how large the library is for whoever loads it, minified and gzipped, and fails where it is too large. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const MOST_BYTES = 5_000;
const index = fileURLToPath(new URL("../src/index.ts", import.meta.url));

async function sizeOf(exported) {
  const entry = { name: "entry", resolveId: (id) => (id === "entry" ? id : null), load: (id) => load(id, exported) };
  const bundle = await rolldown({ input: "entry", plugins: [entry] });
  const { output } = await bundle.generate({ format: "es", minify: true, comments: false });
  await bundle.close();
  return gzipSync(output[0].code, { level: 9 }).length;
}

function load(id, exported) {
  return id === "entry" ? `export ${exported} from ${JSON.stringify(index)}` : null;
}

const all = await sizeOf("*");
console.log(`everything           ${all} bytes, of at most ${MOST_BYTES}`);
for (const name of ["createAlertStream", "createVitalsSocket"]) {
  console.log(`${name.padEnd(20)} ${await sizeOf(`{ ${name} }`)} bytes`);
}
if (all > MOST_BYTES) {
  console.error(`too large by ${all - MOST_BYTES} bytes`);
  process.exitCode = 1;
}
