// node verify.mjs JWKS_URL ISSUER AUDIENCE SCOPE < token
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const [jwksUrl, issuer, audience, scope] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(jwksUrl)); // once a process: it keeps the set and notices new keys
const rules = { issuer, audience, typ: "at+jwt", algorithms: ["ES256", "EdDSA", "RS256"], requiredClaims: ["exp", "sub"] };
try {
  const { payload } = await jwtVerify(readFileSync(0, "utf8").trim(), keys, rules);
  if (!String(payload.scope).split(" ").includes(scope)) throw new Error(`the token lacks the scope ${scope}`);
  console.log(JSON.stringify(payload));
} catch (refusal) {
  console.error(refusal.message);
  process.exitCode = 1;
}
