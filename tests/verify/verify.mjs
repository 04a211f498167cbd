// node verify.mjs JWKS_URL ISSUER AUDIENCE SCOPE < token
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const [jwksUrl, issuer, audience, scope] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(jwksUrl)); // once a process: it keeps the set and notices new keys
const algorithms = ["ES256", "EdDSA", "RS256"];
const rules = { issuer, audience, typ: "at+jwt", algorithms, requiredClaims: ["exp", "sub", "jti"] };

// What was revoked before it expired: read this every five seconds, not for each token.
async function readRevoked() {
  const answer = await fetch(new URL("revocations", jwksUrl));
  if (!answer.ok) throw new Error(`the list of revocations cannot be read: ${answer.status}`);
  const { payload: l } = await jwtVerify(await answer.text(), keys, { issuer, typ: "revocations+jwt", algorithms });
  const whole = [l.keys, l.clients, l.generations, l.families, l.tokens, l.signing_keys].flat();
  return new Set([...whole, ...((l.short ?? "").match(/.{7}/g) ?? [])]);
}

try {
  const { payload: c, protectedHeader } = await jwtVerify(readFileSync(0, "utf8").trim(), keys, rules);
  const revoked = await readRevoked();
  const names = [c.sub, c.client_id, c.gen, c.fam, c.jti, protectedHeader.kid].filter(Boolean);
  if (names.some((id) => revoked.has(id) || revoked.has(id.slice(4, 11)))) throw new Error("the token was revoked");
  if (!String(c.scope).split(" ").includes(scope)) throw new Error(`the token lacks the scope ${scope}`);
  console.log(JSON.stringify(c));
} catch (refusal) {
  console.error(refusal.message);
  process.exitCode = 1;
}
