// A receipt is an ordinary JWS: npm jose verifies it, and every changed bit is refused.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [tools, folder] = process.argv.slice(2);
const entry = createRequire(path.join(path.resolve(tools), "package.json")).resolve("jose");
const { compactVerify, createLocalJWKSet } = await import(pathToFileURL(entry));
const read = (name) => readFileSync(path.join(folder, name));
const keys = createLocalJWKSet(JSON.parse(read("jwks.json")));

for (const label of ["match", "mismatch"]) {
  const { receipt } = JSON.parse(read(`${label}.answer.json`));
  const { payload, protectedHeader } = await compactVerify(receipt, keys, { algorithms: ["EdDSA"] });
  const said = JSON.parse(new TextDecoder().decode(payload));
  if (said.outcome !== label) throw new Error(`says ${said.outcome}`);
  if (protectedHeader.typ !== "receipt+jwt") throw new Error(`typ ${protectedHeader.typ}`);
  const digest = createHash("sha256").update(read(`${label}.request.json`)).digest("hex");
  if (said.request_sha256 !== digest) throw new Error("another request");

  const parts = receipt.split(".");
  let refused = 0;
  for (let number = 0; number < 3; number++) {
    const bytes = Buffer.from(parts[number], "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] ^= 1 << (bit & 7);
      const text = parts.map((part, at) => (at === number ? changed.toString("base64url") : part)).join(".");
      try {
        await compactVerify(text, keys, { algorithms: ["EdDSA"] });
      } catch {
        refused++;
        continue;
      }
      throw new Error(`part ${number} bit ${bit}: a changed receipt verified`);
    }
  }
  console.log(`${label}: verified, ${refused} changed receipts refused`);
}
