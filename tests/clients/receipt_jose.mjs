// Receipts verify with npm jose, by the very text of docs/receipts.md, and every changed bit is refused.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [tools, folder, page] = process.argv.slice(2);
const entry = createRequire(path.join(path.resolve(tools), "package.json")).resolve("jose");
const { createLocalJWKSet } = await import(pathToFileURL(entry));
const documented = path.join(path.resolve(tools), "receipts.mjs"); // Where its import of `jose` is found.
writeFileSync(documented, /```js\n([^]*?)```/.exec(readFileSync(page, "utf8"))[1]);
const { stated } = await import(pathToFileURL(documented));
const read = (name) => readFileSync(path.join(folder, name));
const keys = createLocalJWKSet(JSON.parse(read("jwks.json")));

for (const label of ["match", "mismatch"]) {
  const { receipt } = JSON.parse(read(`${label}.answer.json`));
  if (receipt.includes("~") !== (path.basename(folder) === "batch")) throw new Error(`another form: ${receipt}`);
  const said = await stated(receipt, keys);
  if (said.outcome !== label) throw new Error(`says ${said.outcome}`);
  const digest = createHash("sha256").update(read(`${label}.request.json`)).digest("hex");
  if (said.request_sha256 !== digest) throw new Error("another request");

  const parts = receipt.split(/([.~])/);
  let refused = 0;
  for (let number = 0; number < parts.length; number += 2) {
    const bytes = Buffer.from(parts[number], "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] ^= 1 << (bit & 7);
      const text = parts.map((part, at) => (at === number ? changed.toString("base64url") : part)).join("");
      try {
        await stated(text, keys);
      } catch {
        refused++;
        continue;
      }
      throw new Error(`part ${number} bit ${bit}: a changed receipt verified`);
    }
  }
  console.log(`${label}: verified, ${refused} changed receipts refused`);
}
