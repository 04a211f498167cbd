// Signing in at real providers: panva's oidc-provider, and a Keycloak where one is on the machine.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import Provider from "oidc-provider";
import { launch, quiet, visitor } from "./browser.mjs";
import { Server, freePort } from "./server.mjs";

let chrome;
before(async () => { chrome = await launch(); });
after(() => chrome?.close());

const says = async (page, text) => {
  const found = await page.locator("body").innerText();
  assert.ok(found.includes(text), `it does not say ${text}:\n${found}`);
};

// kagiya where people sign in at `issuer`; groups make members.
function toml(issuer, secret, operator) {
  return `
[sign_in]
issuer = "${issuer}"
client_id = "kagiya-dashboard"
client_secret = "${secret}"
operators = [{ iss = "${issuer}", sub = "${operator}" }]

[[sign_in.memberships]]
claim = "groups"
value = "billing"
organization = "acme"
roles = ["checkout"]

[dashboard]
local_accounts = false
`;
}

// What both providers are put through: whoever is in the group is a member, others wait, and who leaves the group is out at the next sign-in.
async function ways(server, { ann, bob, sign_in, leave }) {
  await server.shop();
  const page = await visitor(chrome);
  await page.goto(server.base);
  await page.click("main .actions a");
  await sign_in(page, ann);
  await page.waitForURL(/organizations\/org_[a-z0-9]+\/keys$/);
  // What the provider's own pages complain about is not ours.
  page.complaints.length = 0;
  await page.click("main >> text=Make key");
  await page.fill("[name=name]", "by provider");
  await page.check('[data-scope="write:payment"]');
  await page.click("main button.accent");
  const key = await page.inputValue("#secret");
  assert.equal((await server.trade(key)).status, 200);
  await page.click("text=I have stored it");
  await quiet(page);
  // Somebody else in the same house belongs nowhere yet.
  const other = await visitor(chrome);
  await other.goto(server.base);
  await other.click("main .actions a");
  await sign_in(other, bob);
  await says(other, "You do not belong to an organization yet");
  // Signed out here, signed in again without the group.
  await page.click(".menu.person > summary");
  await page.click(".menu.person button.wide");
  await page.waitForURL(/sign-in$/);
  await leave(ann);
  const again = await visitor(chrome);
  await again.goto(server.base);
  await again.click("main .actions a");
  await sign_in(again, ann);
  await says(again, "You do not belong to an organization yet");
  assert.equal((await server.trade(key)).code, "api_key_disabled");
}

test("panva's oidc-provider", async () => {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const secret = "a secret of the client, long enough for everybody";
  const people = { ann: { name: "Ann Example", groups: ["billing"] }, bob: { name: "Bob Example", groups: [] }, olga: { name: "Olga" } };
  const server = await Server.start({ toml: toml(issuer, secret, "olga") });
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "kagiya-dashboard", client_secret: secret, redirect_uris: [`${server.base}/dashboard/sign-in/callback`],
      response_types: ["code"], grant_types: ["authorization_code"], token_endpoint_auth_method: "client_secret_basic",
    }],
    claims: { openid: ["sub"], profile: ["name", "groups"], email: ["email"] },
    features: { devInteractions: { enabled: true } },
    pkce: { required: () => true },
    async findAccount(_, id) {
      return people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) };
    },
    cookies: { keys: ["a key of the provider's own cookies"] },
  });
  const listening = createServer(provider.callback()).listen(port, "127.0.0.1");
  try {
    const sign_in = async (page, name) => {
      await page.fill("[name=login]", name);
      await page.fill("[name=password]", "anything");
      await page.click("button[type=submit]");
      // It asks once whether kagiya may know.
      await page.click("button[type=submit]");
    };
    await ways(server, { ann: "ann", bob: "bob", sign_in, leave: async (name) => { people[name].groups = []; } });
    // Whoever says no at the provider is told so here.
    const page = await visitor(chrome);
    await page.goto(`${server.base}/dashboard/sign-in/provider`);
    await page.click("text=Cancel");
    await says(page, "The sign-in provider did not let you in (access_denied).");
    // The operator of the configuration.
    const olga = await visitor(chrome);
    await olga.goto(`${server.base}/dashboard/sign-in/provider`);
    await sign_in(olga, "olga");
    await olga.waitForURL(/all\/keys$/);
    await says(olga, "by provider");
    assert.ok(!/eyJ[A-Za-z0-9_-]{20}/.test(server.output), "a token in the log");
  } finally {
    listening.closeAllConnections();
    listening.close();
    await server.stop();
  }
});

// As tests/keycloak/install.sh makes it, or as it lies where that keeps it.
function keycloakFolder() {
  const install = fileURLToPath(new URL("../keycloak/install.sh", import.meta.url));
  if (existsSync(install)) return execFileSync("bash", [install], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
  const kept = join(process.env.KAGIYA_TEST_KEYCLOAK_CACHE ?? join(homedir(), ".cache/kagiya"), "keycloak-26.7.3");
  return existsSync(join(kept, "ready")) ? kept : null;
}

const keycloak_home = keycloakFolder();

test("Keycloak", { skip: keycloak_home ? false : "no Keycloak on this machine" }, async () => {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const issuer = `${base}/realms/people`;
  const secret = "a secret of the client, long enough for everybody";
  const data = mkdtempSync(join(tmpdir(), "kagiya-keycloak-"));
  const keycloak = spawn(join(keycloak_home, "bin/kc.sh"), [
    "start", "--optimized", "--http-enabled=true", `--http-port=${port}`, `--http-management-port=${await freePort()}`,
    `--hostname=${base}`, `--db-url=jdbc:h2:file:${join(data, "keycloak")};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE`,
  ], {
    env: {
      ...process.env, KC_BOOTSTRAP_ADMIN_USERNAME: "admin", KC_BOOTSTRAP_ADMIN_PASSWORD: "admin of a test", KC_CACHE: "local",
      JAVA_OPTS_KC_HEAP: "-Xms96m -Xmx448m",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [keycloak.stdout, keycloak.stderr]) stream.on("data", (text) => { output += text; });
  let server;
  try {
    for (let waited = 0; ; waited++) {
      const answer = await fetch(`${base}/realms/master`).catch(() => null);
      if (answer?.ok) break;
      if (waited > 240 || keycloak.exitCode !== null) throw new Error(`Keycloak does not start:\n${output}`);
      await new Promise((done) => setTimeout(done, 500));
    }
    const signedIn = await fetch(`${base}/realms/master/protocol/openid-connect/token`, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "password", client_id: "admin-cli", username: "admin", password: "admin of a test" }),
    });
    const { access_token } = await signedIn.json();
    const call = async (method, path, body) => {
      const answer = await fetch(`${base}/admin/realms${path}`, {
        method, headers: { Authorization: `Bearer ${access_token}`, "Content-Type": "application/json" }, body: body && JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      const text = await answer.text();
      return text ? JSON.parse(text) : null;
    };
    const user = (username, groups) => ({
      username, enabled: true, firstName: username, lastName: "Example", email: `${username}@example.com`, emailVerified: true, groups,
      credentials: [{ type: "password", value: "a password of a test", temporary: false }],
    });
    await call("POST", "", {
      realm: "people", enabled: true, groups: [{ name: "billing" }],
      users: [user("ann", ["billing"]), user("bob", []), user("olga", [])],
    });
    const found = async (name) => (await call("GET", `/people/users?username=${name}&exact=true`))[0].id;
    server = await Server.start({ toml: toml(issuer, secret, await found("olga")) });
    await call("POST", "/people/clients", {
      clientId: "kagiya-dashboard", secret, publicClient: false, standardFlowEnabled: true, directAccessGrantsEnabled: false,
      redirectUris: [`${server.base}/dashboard/sign-in/callback`], attributes: { "pkce.code.challenge.method": "S256" },
      protocolMappers: [{
        name: "groups", protocol: "openid-connect", protocolMapper: "oidc-group-membership-mapper",
        config: { "claim.name": "groups", "full.path": "false", "id.token.claim": "true", "userinfo.token.claim": "true" },
      }],
    });
    const sign_in = async (page, name) => {
      await page.fill("[name=username]", name);
      await page.fill("[name=password]", "a password of a test");
      await page.click("[type=submit]");
    };
    const leave = async (name) => {
      const [id, groups] = [await found(name), await call("GET", "/people/groups")];
      await call("DELETE", `/people/users/${id}/groups/${groups[0].id}`);
    };
    await ways(server, { ann: "ann", bob: "bob", sign_in, leave });
    const olga = await visitor(chrome, { locale: "ja-JP" });
    await olga.goto(`${server.base}/dashboard/sign-in/provider`);
    await sign_in(olga, "olga");
    await olga.waitForURL(/all\/keys$/);
  } finally {
    await server?.stop();
    // TERM reaches Java, KILL would leave it behind.
    keycloak.kill("SIGTERM");
    if (keycloak.exitCode === null) await new Promise((done) => keycloak.once("exit", done));
    rmSync(data, { recursive: true, force: true });
  }
});
