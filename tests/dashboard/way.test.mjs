// The way of those who use it, in a real browser: the first operator furnishes an empty server, an admin invites, a member makes a key,
// uses it, narrows, rotates and revokes it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { join_by, launch, quiet, visitor } from "./browser.mjs";
import { CART, PAYMENT, Server } from "./server.mjs";

let chrome;
before(async () => { chrome = await launch(); });
after(() => chrome?.close());

// The payment service of the worked example: any JOSE library, the JWK set, the audience, the scope.
async function pays(server, token) {
  const keys = createRemoteJWKSet(new URL(`${server.base}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(token, keys, { issuer: server.base, audience: PAYMENT });
  return payload.scope.split(" ").includes("write:payment") ? 200 : 403;
}

// Where pages say to put a key, and an application's secret: a file, or a variable.
const KEY = { file: "kagiya.key", variable: "KAGIYA_KEY" };
const SECRET = { file: "kagiya.secret", variable: "KAGIYA_CLIENT_SECRET" };

// Runs one of the ready lines as it stands on the page, with the key where the page says to put it; the token that it gets.
function run(language, lines, key, by, where = KEY) {
  const folder = mkdtempSync(join(tmpdir(), "kagiya-lines-"));
  try {
    const environment = { PATH: process.env.PATH };
    if (by === "file") writeFileSync(join(folder, where.file), `${key}\n`, { mode: 0o600 });
    else environment[where.variable] = key;
    const [program, file, show] = {
      curl: ["bash", "lines.sh", '\nprintf %s "$TOKEN"\n'],
      Node: ["node", "lines.mjs", "\nprocess.stdout.write(access_token);\n"],
      Python: ["python3", "lines.py", "\nprint(access_token, end='')\n"],
    }[language];
    writeFileSync(join(folder, file), lines + show);
    return execFileSync(program, [file], { cwd: folder, env: environment, encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// Chromium may still be putting up the page that asks whether to send a form again: until it stands, nothing can be reloaded.
async function reload(page) {
  for (let tried = 0; ; tried++) {
    const failed = await page.reload().then(() => null, (error) => error);
    if (!failed) return;
    if (tried > 50 || !/Not attached to an active page/.test(String(failed))) throw failed;
    await new Promise((done) => setTimeout(done, 100));
  }
}

const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const heading = (page) => page.locator("h1").innerText();
const says = async (page, text) => {
  const found = await page.locator("body").innerText();
  assert.ok(found.includes(text), `it does not say ${text}:\n${found}`);
};

test("the first operator furnishes an empty server, and a member uses it", async () => {
  const server = await Server.start();
  try {
    // The first operator, by the link that the server printed.
    const olga = await visitor(chrome);
    olga.allowed = [server.base];
    await olga.goto(server.base);
    await says(olga, "Nobody has an account here yet.");
    await join_by(olga, server.firstLink(), "Olga");
    await says(olga, "You are an operator.");
    await olga.click("nav.sections >> text=Organizations");
    await olga.click("main >> text=Make organization");
    await olga.fill("[name=name]", "Acme");
    await olga.fill("[name=slug]", "acme");
    await olga.click("main button.accent");
    await says(olga, "The organization is there.");
    const members = olga.url();
    await olga.goto(`${server.base}/dashboard/resources`);
    await olga.click("main >> text=Make API resource");
    await olga.fill("[name=identifier]", PAYMENT);
    await olga.fill("[name=name]", "Payments");
    await olga.fill("[name=permissions]", "read:payment See payments\nwrite:payment Make payments");
    await olga.click("main button.accent");
    await says(olga, "What comes next:");
    await olga.click("main >> text=Make role");
    await olga.fill("[name=name]", "checkout");
    for (const scope of ["read:payment", "write:payment"]) await olga.check(`[data-scope="${scope}"]`);
    await olga.click("main button.accent");
    await says(olga, "What comes next:");
    await quiet(olga);

    // An admin, who invites a member.
    await olga.goto(members);
    await olga.click("main >> text=Invite");
    await olga.check("[name=role][value=admin]");
    await olga.click("main button.accent");
    const ann = await visitor(chrome);
    await join_by(ann, await olga.inputValue("#secret"), "Ann");
    await says(ann, "You are in.");
    await ann.click("nav.sections >> text=Members");
    await ann.click("main >> text=Invite");
    await ann.check("text=checkout");
    await ann.click("main button.accent");
    await ann.click("button.copy");
    const link = await clipboard(ann);
    await quiet(ann);

    // The member makes a key that may only pay, and calls the payment service with it.
    const bob = await visitor(chrome);
    bob.allowed = [server.base];
    await join_by(bob, link, "Bob");
    let [clicks, fields] = [0, 0];
    const click = async (where) => { clicks += 1; await bob.click(where); };
    await click("main >> text=Make key");
    fields += 1;
    await bob.fill("[name=name]", "checkout");
    await click('[data-scope="write:payment"]');
    await says(bob, "It may: write:payment");
    await click("main button.accent");
    assert.equal(await heading(bob), "Your key");
    await click(".secret button.copy");
    const key = await clipboard(bob);
    assert.match(key, /^kgy_1/);
    await click(".lines button.copy >> nth=0");
    const curl = await clipboard(bob);
    assert.equal(await pays(server, run("curl", curl, key, "file")), 200);
    await click("text=I have stored it");
    assert.ok(clicks <= 7 && fields <= 2, `${clicks} clicks, ${fields} fields`);
    console.log(`a narrowed key: ${clicks} clicks, ${fields} field`);
    assert.equal(await heading(bob), "checkout");

    // Going back never shows it again.
    // Chromium keeps no answer that must not be stored, and asks whether to send the form once more; so be it.
    await bob.goBack().catch((error) => assert.match(String(error), /ERR_CACHE_MISS/));
    await reload(bob);
    await bob.waitForSelector("text=This key was shown already");
    assert.ok(!(await bob.content()).includes(key));
    await quiet(bob);

    // A second one, wider, and every ready line as it stands, by file and by variable.
    await bob.goto(`${server.base}/dashboard`);
    await bob.click("main >> text=Make key");
    await bob.fill("[name=name]", "wide");
    for (const scope of ["read:payment", "write:payment"]) await bob.check(`[data-scope="${scope}"]`);
    await bob.click("main button.accent");
    const wide = await bob.inputValue("#secret");
    for (const language of ["curl", "Node", "Python"]) {
      const lines = await bob.locator(".lines details", { hasText: language }).locator("code").textContent();
      for (const by of ["file", "variable"]) {
        assert.equal(await pays(server, run(language, lines, wide, by)), 200, `${language} by ${by}`);
      }
    }
    await bob.click("text=I have stored it");

    // Narrowed, with the change shown before it is saved.
    await bob.click("text=Change permissions");
    await bob.uncheck('[data-scope="write:payment"]');
    await bob.click("main button.accent");
    await says(bob, "Takes away write:payment");
    assert.equal((await server.trade(wide)).scope, "read:payment write:payment");
    await bob.click("main button.accent");
    await says(bob, "Permissions changed.");
    const narrowed = await server.trade(wide);
    assert.equal(narrowed.scope, "read:payment");
    assert.equal(await pays(server, narrowed.access_token), 403);

    // Rotated: the old one is dead at once.
    await bob.click("main >> text=Rotate");
    await bob.click("main button.accent");
    await says(bob, "The old key stopped working.");
    const next = await bob.inputValue("#secret");
    assert.equal((await server.trade(wide)).code, "api_key_rotated");
    assert.equal((await server.trade(next)).status, 200);
    await bob.click("text=I have stored it");

    // Revoked, by its name.
    await bob.click("main >> text=Revoke");
    await bob.fill("[name=name]", "wide");
    await bob.click("main form button.danger");
    await says(bob, "Revoked. The key no longer works.");
    assert.equal((await server.trade(next)).code, "api_key_revoked");
    assert.equal((await server.trade(key)).status, 200);
    await quiet(bob);

    // The admin sees it all, and stops what is left of his keys.
    await ann.goto(ann.url().replace(/\/invitations.*/, "/keys"));
    await ann.click("main >> text=checkout");
    await ann.click("main >> text=Disable");
    await ann.click("main form button.danger");
    await says(ann, "Disabled. The key is refused from now on.");
    assert.equal((await server.trade(key)).code, "api_key_disabled");
    await ann.click("nav.sections >> text=Audit log");
    await says(ann, "Key revoked");
    await quiet(ann);
    await olga.goto(`${server.base}/dashboard/all/usage`);
    await quiet(olga);
    assert.ok(!server.output.includes("kgy_1"), "a key in the log");
  } finally {
    await server.stop();
  }
});

test("an operator makes an application, and its program uses the ready lines", async () => {
  const server = await Server.start();
  try {
    const shop = await server.shop();
    await server.call("POST", "/v1/roles", {
      name: "payer", kind: "machine_to_machine", permissions: [{ resource: PAYMENT, scopes: ["write:payment"] }],
    });
    const olga = await visitor(chrome);
    olga.allowed = [server.base];
    await join_by(olga, await server.link({ purpose: "operator" }), "Olga");
    await olga.goto(`${shop.pages}/applications`);
    await olga.click("main >> text=Make application");
    await olga.fill("[name=name]", "nightly billing");
    await olga.check("text=payer");
    await olga.click("main button.accent");
    await says(olga, "Shown only now.");
    await olga.click(".secret button.copy");
    const secret = await clipboard(olga);
    assert.match(secret, /^kgs_/);
    const client = await olga.locator(".facts button.copy").first().getAttribute("data-copy");
    assert.match(client, /^app_/);
    // Basic and body, by file and by variable, in each language.
    const each = async () => {
      for (const language of ["curl", "Node", "Python"]) {
        const lines = await olga.locator(".lines details", { hasText: language }).locator("code").textContent();
        for (const by of ["file", "variable"]) {
          assert.equal(await pays(server, run(language, lines, secret, by, SECRET)), 200, `${language} by ${by}`);
        }
      }
    };
    await each();
    await olga.click("text=I have stored it");
    await quiet(olga);
    assert.ok(!(await olga.content()).includes(secret));
    await olga.click("main .actions >> text=Edit");
    await olga.check("[name=auth][value=client_secret_post]");
    await olga.click("main form button.accent");
    await says(olga, "Saved.");
    await each();
    // What it may trade follows from a rule.
    await olga.goto(`${server.base}/dashboard/exchange-rules`);
    await olga.click("main >> text=Make exchange rule");
    await olga.selectOption("[name=subject_resource]", { label: `Carts (${CART})` });
    await olga.selectOption("[name=target_resource]", { label: `Payments (${PAYMENT})` });
    await olga.click("main button");
    await olga.check("[name=scopes][value='read:payment']");
    await olga.click("main form button.accent");
    await says(olga, "The exchange rule is there.");
    await quiet(olga);
    assert.ok(!server.output.includes("kgs_"), "a secret in the log");
  } finally {
    await server.stop();
  }
});

test("a key is made by the keyboard alone", async () => {
  const server = await Server.start();
  try {
    const shop = await server.shop();
    const page = await visitor(chrome);
    await join_by(page, await server.link({ purpose: "invitation", organization_id: shop.organization, roles: [shop.checkout] }), "Kay");
    await page.goto(`${server.base}/dashboard`);
    const focused = () => page.evaluate(() => {
      const { tagName, name, type, innerText, dataset } = document.activeElement;
      const outline = getComputedStyle(document.activeElement).outlineStyle;
      return { tagName, name, type, text: (innerText ?? "").trim(), scope: dataset.scope, seen: outline !== "none" };
    });
    const tabTo = async (wanted) => {
      for (let pressed = 0; pressed < 60; pressed++) {
        await page.keyboard.press("Tab");
        const now = await focused();
        if (now.tagName === "BODY") continue;
        assert.ok(now.seen, `the focus on ${JSON.stringify(now)} is not seen`);
        if (wanted(now)) return;
      }
      assert.fail(`the keyboard does not lead to ${wanted}`);
    };
    // The first stop is the way past the frame.
    await page.keyboard.press("Tab");
    assert.equal((await focused()).text, "Skip to content");
    await page.keyboard.press("Enter");
    await tabTo((now) => now.text === "Make key");
    await page.keyboard.press("Enter");
    await page.waitForURL(/keys\/new$/);
    await tabTo((now) => now.name === "name");
    await page.keyboard.type("by keyboard");
    await tabTo((now) => now.scope === "read:payment");
    await page.keyboard.press("Space");
    await tabTo((now) => now.tagName === "BUTTON" && now.text === "Make key");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#secret");
    await tabTo((now) => now.text === "Copy key");
    await page.keyboard.press("Enter");
    assert.match(await clipboard(page), /^kgy_1/);
    await page.waitForFunction(() => document.querySelector(".secret button").textContent === "✓ Copied");
    await tabTo((now) => now.text === "I have stored it");
    await page.keyboard.press("Enter");
    await page.waitForURL(/keys\/key_/);
    // Menus open and close, and give the focus back.
    await tabTo((now) => now.text === "Kay");
    await page.keyboard.press("Enter");
    await tabTo((now) => now.text === "Your account");
    await page.keyboard.press("Escape");
    assert.equal((await focused()).text, "Kay");
    await quiet(page);
  } finally {
    await server.stop();
  }
});

test("everything works without scripts but copying", async () => {
  const server = await Server.start();
  try {
    const shop = await server.shop();
    const page = await visitor(chrome, { script: false });
    await join_by(page, await server.link({ purpose: "invitation", organization_id: shop.organization, roles: [shop.checkout] }), "Noa");
    await page.click("main >> text=Make key");
    await page.fill("[name=name]", "plain");
    await page.check('[data-scope="read:payment"]');
    await page.click("main button.accent");
    const key = await page.inputValue("#secret");
    assert.equal(await page.locator("button.copy:visible").count(), 0, "a button that does nothing");
    assert.equal((await server.trade(key)).status, 200);
    await page.click("text=I have stored it");
    for (const [action, button] of [["Disable", "danger"], ["Enable", "accent"]]) {
      await page.click(`main .actions >> text=${action}`);
      await page.click(`main form button.${button}`);
      await page.waitForURL(/key_[a-z0-9]+$/);
    }
    await page.click(".menu.person > summary");
    await page.click("text=日本語");
    await page.waitForSelector("html[lang=ja]");
    await page.goto(`${server.base}/dashboard/found`);
    await page.fill("[name=key]", key);
    await page.click("main button.accent");
    await page.click("main form button.danger");
    await page.waitForSelector("[role=status]");
    assert.equal((await server.trade(key)).code, "api_key_revoked");
    await page.click(".menu.person > summary");
    await page.click(".menu.person button.wide");
    await page.waitForURL(/sign-in/);
  } finally {
    await server.stop();
  }
});

test("somebody signs in by a passkey", async () => {
  // Passkeys belong to a name: a server that is called by an address has none.
  const server = await Server.start({ host: "localhost" });
  try {
    const page = await visitor(chrome);
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await join_by(page, server.firstLink(), "Pia");
    await page.goto(`${server.base}/dashboard/account`);
    await page.click("text=Add a passkey");
    await page.fill("[name=name]", "work laptop");
    await page.click("main button.accent");
    await page.waitForURL(/account$/);
    await says(page, "The passkey is added.");
    await says(page, "work laptop");
    const sign_out = async () => {
      await page.click(".menu.person > summary");
      await page.click(".menu.person button.wide");
      await page.waitForURL(/sign-in/);
    };
    await sign_out();
    await page.click("text=Sign in with a passkey");
    await page.waitForURL(/all\/keys$/);
    await page.goto(`${server.base}/dashboard/account`);
    await says(page, "passkey");
    // Taken away, it opens nothing any more.
    const twin = await page.context().newPage();
    await page.click("main form.inline button");
    await says(page, "The passkey is removed.");
    await sign_out();
    await page.click("text=Sign in with a passkey");
    await page.waitForSelector(".notice.danger");
    await says(page, "That name and password, or passkey, does not fit.");
    await twin.close();
    await quiet(page);
  } finally {
    await server.stop();
  }
});
