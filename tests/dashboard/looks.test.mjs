// How pages look: every page and state, light and dark, from 320 to 1920 pixels. axe finds nothing, nothing is scrolled sideways, and a
// picture of each is kept for whoever wants to look. The two pictures of the README are made here as well.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { join_by, launch, picture, quiet, sideways, sign_in, violations, visitor } from "./browser.mjs";
import { CART, PAYMENT, Server } from "./server.mjs";

const WIDTHS = [320, 768, 1280, 1920];
const THEMES = ["light", "dark"];
const LANGUAGES = [["en", "en-GB"], ["ja", "ja-JP"], ["ko", "ko-KR"]];

let chrome, server, shop, olga, bob, keys, application, rule;
const link = (body) => server.link(body);
const scopes = (resource, ...scopes) => ({ resource, scopes });

before(async () => {
  chrome = await launch();
  server = await Server.start({ toml: '[dashboard]\nsupport = "keys@example.com"\n' });
  shop = await server.shop();
  olga = await visitor(chrome);
  await join_by(olga, await link({ purpose: "operator" }), "Olga Ortiz");
  bob = await visitor(chrome);
  await join_by(bob, await link({ purpose: "invitation", organization_id: shop.organization, roles: [shop.checkout] }), "Bob Baker");
  const people = await server.call("GET", "/v1/users?limit=200");
  const owner = people.items.find((user) => user.name === "Bob Baker").id;
  const make = async (name, permissions, further = {}) =>
    server.call("POST", "/v1/keys", { name, organization_id: shop.organization, permissions, ...further });
  const soon = new Date(Date.now() + 20 * 86_400_000).toISOString();
  keys = {
    checkout: await make("Checkout in production", [scopes(PAYMENT, "write:payment")], { owner }),
    report: await make("Nightly report", [scopes(PAYMENT, "read:payment"), scopes(CART, "read:cart")], { expires_at: soon }),
    wide: await make("Load test of a very long name that does not end where one would expect it to", [
      scopes(PAYMENT, "read:payment", "write:payment"), scopes(CART, "read:cart", "write:cart"),
    ], { owner, allowed_cidrs: ["192.0.2.0/24", "2001:db8::/32"], rate_limit: { requests: 100, per_seconds: 60 } }),
    paused: await make("Old integration", [scopes(CART, "read:cart")]),
    revoked: await make("Shop window", [scopes(CART, "read:cart")], { owner }),
    rotated: await make("Warehouse", [scopes(CART, "read:cart", "write:cart")]),
  };
  for (let used = 0; used < 17; used++) await server.trade(keys.checkout.key);
  for (let used = 0; used < 5; used++) await server.trade(keys.report.key, { resource: PAYMENT });
  for (let used = 0; used < 3; used++) await server.trade(keys.checkout.key, { scope: "read:payment" });
  await server.trade(keys.wide.key, { resource: PAYMENT });
  await server.call("PATCH", `/v1/keys/${keys.paused.id}`, { disabled: true });
  await server.call("DELETE", `/v1/keys/${keys.revoked.id}`);
  await server.call("POST", `/v1/keys/${keys.rotated.id}/rotate`, { grace_seconds: 86_400 });
  await server.call("POST", "/v1/organizations", { name: "Northwind Traders", slug: "northwind" });
  await server.call("POST", "/v1/users", { iss: "https://sso.example.com", sub: "waiting-1", name: "Wes Waits" });
  await link({ purpose: "invitation", organization_id: shop.organization, note: "Carol from billing" });
  const payer = await server.call("POST", "/v1/roles", {
    name: "payer", description: "Pays in the name of a service", kind: "machine_to_machine", permissions: [scopes(PAYMENT, "write:payment")],
  });
  const program = (name, further) => server.call("POST", "/v1/applications", { name, ...further });
  application = await program("Nightly billing", {
    organization_id: shop.organization, roles: [payer.id], description: "Makes the invoices of the day", allowed_cidrs: ["192.0.2.0/24"],
  });
  await program("A gateway of a very long name that does not end where one would expect it to", {});
  const retired = await program("Retired", { organization_id: shop.organization });
  await server.call("PATCH", `/v1/applications/${retired.client_id}`, { disabled: true });
  rule = await server.call("POST", "/v1/exchange-rules", {
    application_id: application.client_id, subject_resource: CART, target_resource: PAYMENT, scopes: ["read:payment", "write:payment"],
  });
  // Uses and refusals are written in batches.
  for (let waited = 0; waited < 100; waited++) {
    const usage = await server.call("GET", `/v1/keys/${keys.checkout.id}/usage`);
    if (usage.items.some((day) => day.refusals === 3)) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail("no use was written down");
});
after(async () => {
  await chrome?.close();
  await server?.stop();
});

// Every page, with who looks at it. A path, or what leads to a state.
function pages() {
  const base = server.base;
  const key = (which, below = "") => `${base}/dashboard/keys/${keys[which].id}${below}`;
  const of = (below) => `${shop.pages}${below}`;
  const operator = (path) => `${base}/dashboard${path}`;
  return {
    member: [
      ["my-keys", of("/keys")],
      ["make-key", of("/keys/new")],
      ["key", key("checkout")],
      ["key-limits", key("wide")],
      ["key-revoked", key("revoked")],
      ["key-edit", key("wide", "/edit")],
      ["key-permissions", key("wide", "/permissions")],
      ["key-rotate", key("checkout", "/rotate")],
      ["key-disable", key("checkout", "/disable")],
      ["key-revoke", key("checkout", "/revoke")],
      ["found", `${base}/dashboard/found`],
      ["account", `${base}/dashboard/account`],
      ["password", `${base}/dashboard/account/password`],
      ["not-there", `${base}/dashboard/keys/key_aaaaaaaaaaaaaaaaaaaaaaaaaa`],
    ],
    operator: [
      ["all-keys", operator("/all/keys")],
      ["all-keys-filtered", operator("/all/keys?q=check&status=active")],
      ["all-keys-none", operator("/all/keys?q=nothing+at+all")],
      ["organizations", operator("/organizations")],
      ["organization-new", operator("/organizations/new")],
      ["people", operator("/people")],
      ["people-waiting", operator("/people?who=waiting")],
      ["resources", operator("/resources")],
      ["resource-new", operator("/resources/new")],
      ["roles", operator("/roles")],
      ["role-new", operator("/roles/new")],
      ["all-applications", operator("/all/applications")],
      ["application", operator(`/applications/${application.client_id}`)],
      ["application-edit", operator(`/applications/${application.client_id}/edit`)],
      ["application-roles", operator(`/applications/${application.client_id}/roles`)],
      ["application-secret-add", operator(`/applications/${application.client_id}/secrets/new`)],
      ["application-secret-remove", operator(`/applications/${application.client_id}/secrets/${application.client_secret_id}/remove`)],
      ["application-disable", operator(`/applications/${application.client_id}/disable`)],
      ["application-delete", operator(`/applications/${application.client_id}/delete`)],
      ["exchange-rules", operator("/exchange-rules")],
      ["exchange-rule-new", operator("/exchange-rules/new")],
      ["exchange-rule", operator(`/exchange-rules/${rule.id}`)],
      ["exchange-rule-delete", operator(`/exchange-rules/${rule.id}/delete`)],
      ["all-usage", operator("/all/usage")],
      ["all-attention", operator("/all/attention")],
      ["too-wide", operator("/all/attention?why=too-wide")],
      ["security", operator("/security")],
      ["secret", operator("/security/secrets/tag/rotate")],
      ["all-audit", operator("/all/audit")],
      ["admin-keys", of("/keys")],
      ["applications", of("/applications")],
      ["application-new", of("/applications/new")],
      ["admin-make-key", of("/keys/new")],
      ["admin-usage", of("/usage")],
      ["admin-attention", of("/attention?why=never-expires")],
      ["members", of("/members")],
      ["invite", of("/invitations/new")],
      ["organization-permissions", of("/permissions")],
      ["organization-settings", of("/settings")],
      ["organization-stop", of("/stop")],
      ["organization-delete", of("/delete")],
      ["admin-audit", of("/audit")],
      ["key-admin", key("rotated")],
      ["key-enable", key("paused", "/enable")],
      ["key-owner", key("checkout", "/owner")],
    ],
  };
}

// The pages that a list leads to by their ids.
async function further() {
  const first = async (path, part) => {
    await olga.goto(`${server.base}/dashboard${path}`);
    return olga.locator(`main a[href*="${part}"]`).first().evaluate((link) => link.href);
  };
  const resource = await first("/resources", "/resources/res_");
  await olga.goto(resource);
  const permission = await olga.locator('main a[href$="/delete"]').first().evaluate((link) => link.href);
  const role = await first("/roles", "/roles/rol_");
  await olga.goto(`${server.base}/dashboard/people?q=Bob`);
  const person = await olga.locator('main a[href*="/people/usr_"]').first().evaluate((link) => link.href);
  const member = `${shop.pages}/members/${person.split("/").pop()}`;
  const signing = await first("/security", "/withdraw");
  return [
    ["resource", resource], ["resource-made", `${resource}?made=1`], ["resource-delete", `${resource}/delete`], ["permission-delete", permission],
    ["role", role], ["role-delete", `${role}/delete`], ["person", person], ["person-operator", `${person}/operator`],
    ["person-shut-out", `${person}/shut-out`], ["member", member], ["member-remove", `${member}/remove`], ["member-stop", `${member}/stop`],
    ["signing-withdraw", signing],
  ];
}

const table = [];

async function look(page, name, { keep = true } = {}) {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      // What is laid out at each width is judged in light; dark changes the colours alone, which the narrowest and the widest have all of.
      if (theme === "light" || width === WIDTHS[0] || width === WIDTHS.at(-1)) {
        assert.deepEqual(await violations(page), [], `${name}, ${theme}, ${width}`);
      }
      assert.ok((await sideways(page)) <= 0, `${name} is scrolled sideways at ${width}`);
      if (keep && (width === 320 || width === 1280)) await picture(page, `en/${name}-${theme}-${width}`);
    }
  }
  table.push(name);
}

test("axe finds what is wrong where something is", async () => {
  const page = await visitor(chrome);
  await page.goto(`${server.base}/dashboard/sign-in`);
  await page.evaluate(() => {
    document.querySelector("label").remove();
    document.querySelector("h1").style.color = "#eeeeee";
  });
  const found = (await violations(page)).map((violation) => violation.id);
  assert.ok(found.includes("label") && found.includes("color-contrast"), String(found));
  await page.evaluate(() => { document.querySelector("main").style.width = "3000px"; document.querySelector("main").style.maxWidth = "none"; });
  assert.ok((await sideways(page)) > 0);
});

test("every page of a member", async () => {
  for (const [name, path] of pages().member) {
    await bob.goto(path);
    await look(bob, name);
  }
  await quiet(bob);
});

test("every page of an operator", async () => {
  for (const [name, path] of [...pages().operator, ...(await further())]) {
    await olga.goto(path);
    await look(olga, name);
  }
  await quiet(olga);
});

test("every state of a member's way", async () => {
  await bob.setViewportSize({ width: 1280, height: 900 });
  await bob.goto(`${shop.pages}/keys/new`);
  await bob.locator("details.fold > summary").click();
  await bob.check('[data-scope="write:payment"]');
  await bob.fill("[name=expires]", "2020-01-01");
  await bob.fill("[name=addresses]", "example.com");
  await bob.fill("[name=name]", " ");
  await bob.click("main button.accent");
  await look(bob, "make-key-wrong");
  await bob.fill("[name=name]", "Made to be looked at");
  await bob.fill("[name=expires]", "");
  await bob.fill("[name=addresses]", "");
  await bob.click("main button.accent");
  await bob.waitForSelector("#secret");
  // The key is another each time, and pictures are kept: what is in them opens nothing.
  await bob.locator("#secret").evaluate((field) => { field.value = `kgy_1${"x".repeat(102)}`; });
  await look(bob, "shown-once");
  await bob.click("text=I have stored it");
  await look(bob, "key-new");
  await bob.click("text=Change permissions");
  await bob.check('[data-scope="read:payment"]');
  await bob.uncheck('[data-scope="write:payment"]');
  await bob.click("main button.accent");
  await look(bob, "permissions-review");
  await bob.click("main button.accent");
  await look(bob, "key-permissions-changed");
  await bob.goto(`${server.base}/dashboard/found`);
  await bob.fill("[name=key]", keys.report.key);
  await bob.click("main button.accent");
  await look(bob, "found-of-others");
  await bob.click(".menu.person > summary");
  await look(bob, "menu-person");
  await bob.setViewportSize({ width: 320, height: 900 });
  await bob.goto(`${shop.pages}/keys`);
  await bob.click(".menu.sections-small > summary");
  await picture(bob, "en/menu-small-320");
  for (const menu of [".sections-small", ".person"]) {
    if (!(await bob.locator(`${menu}[open]`).count())) await bob.click(`${menu} > summary`);
    const { x, width } = await bob.locator(`${menu} .sheet`).boundingBox();
    assert.ok(x >= 0 && x + width <= 320, `${menu} is cut off: ${x}, ${width}`);
  }
  assert.deepEqual(await violations(bob), []);
});

test("signing in, invitations, links that are gone, whoever waits", async () => {
  const page = await visitor(chrome);
  await page.goto(`${server.base}/dashboard/sign-in`);
  await look(page, "sign-in");
  await page.fill("[name=login_name]", "olga");
  await page.fill("[name=password]", "wrong");
  await page.click("main button.accent");
  await look(page, "sign-in-wrong");
  await page.goto(await link({ purpose: "invitation", organization_id: shop.organization }));
  await look(page, "invitation");
  await page.goto(`${server.base}/dashboard/links/${"a".repeat(43)}`);
  await look(page, "link-gone");
  await olga.setViewportSize({ width: 1280, height: 900 });
  await olga.goto(`${shop.pages}/invitations/new`);
  await olga.fill("[name=note]", "Dan");
  await olga.click("main button.accent");
  await olga.locator("#secret").evaluate((field) => { field.value = `${location.origin}/dashboard/links/${"x".repeat(43)}`; });
  await look(olga, "invitation-made");
  await olga.goto(`${shop.pages}/applications/new`);
  await olga.fill("[name=name]", "Made to be looked at");
  await olga.click("main button.accent");
  await olga.locator("#secret").evaluate((field) => { field.value = `kgs_${"x".repeat(43)}`; });
  await look(olga, "application-made");
  await olga.goto(`${shop.pages}/members`);
  await olga.click("main form:not(.filter) button >> nth=0");
  await look(olga, "invitation-withdrawn");
  await quiet(olga);
});

test("an empty deployment", async () => {
  const empty = await Server.start();
  try {
    const page = await visitor(chrome);
    await page.goto(empty.base);
    await look(page, "first-visit");
    await page.goto(empty.firstLink());
    await look(page, "first-operator");
    await join_by(page, empty.firstLink(), "Olga");
    await look(page, "empty-keys");
    for (const [name, path] of [
      ["empty-organizations", "organizations"], ["empty-resources", "resources"], ["empty-roles", "roles"], ["empty-usage", "all/usage"],
      ["empty-attention", "all/attention"], ["empty-people", "people"], ["empty-applications", "all/applications"],
      ["empty-exchange-rules", "exchange-rules"],
    ]) {
      await page.goto(`${empty.base}/dashboard/${path}`);
      await look(page, name);
    }
    const organization = await empty.call("POST", "/v1/organizations", { name: "Acme" });
    await page.goto(`${empty.base}/dashboard/organizations/${organization.id}/keys`);
    await look(page, "empty-organization");
    await page.goto(`${empty.base}/dashboard/organizations/${organization.id}/keys/new`);
    await look(page, "nothing-to-give");
  } finally {
    await empty.stop();
  }
});

test("Japanese and Korean", async () => {
  for (const [language, locale] of LANGUAGES.slice(1)) {
    const page = await visitor(chrome, { locale });
    await page.goto(`${server.base}/dashboard/sign-in`);
    await picture(page, `${language}/sign-in-1280`);
    await sign_in(page, server.base, "bob.baker");
    for (const [name, path] of pages().member) {
      await page.goto(path);
      for (const width of [320, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        assert.equal(await page.getAttribute("html", "lang"), language);
        assert.deepEqual(await violations(page), [], `${name} in ${language}`);
        assert.ok((await sideways(page)) <= 0, `${name} in ${language} is scrolled sideways at ${width}`);
        await picture(page, `${language}/${name}-${width}`);
      }
    }
    const other = await visitor(chrome, { locale });
    await sign_in(other, server.base, "olga.ortiz");
    for (const [name, path] of [...pages().operator, ...(await further())]) {
      await other.goto(path);
      for (const width of [320, 1280]) {
        await other.setViewportSize({ width, height: 900 });
        // The layout was judged in English; what another language changes shows where there is least room.
        if (width === 320) assert.deepEqual(await violations(other), [], `${name} in ${language}`);
        assert.ok((await sideways(other)) <= 0, `${name} in ${language} is scrolled sideways at ${width}`);
        if (width === 1280) await picture(other, `${language}/${name}-${width}`);
      }
    }
  }
});

test("name, logo and colour of a company", async () => {
  const toml = '[dashboard]\nname = "Acme keys"\naccent = "#7a1f6b"\nsupport = "https://help.acme.example"\n';
  const branded = await Server.start({ toml });
  try {
    const page = await visitor(chrome);
    await join_by(page, branded.firstLink(), "Olga");
    assert.ok((await page.title()).endsWith("· Acme keys"));
    await look(page, "branded");
  } finally {
    await branded.stop();
  }
});

// The two pictures of the README, as they would be made anew: docs/images is written only where a run is told to.
test("the pictures of the README", async () => {
  const folder = process.env.KAGIYA_TEST_README_PICTURES;
  for (const [name, who, path, height] of [
    ["dashboard-keys", olga, `${shop.pages}/keys`, 760],
    ["dashboard-key", bob, `${server.base}/dashboard/keys/${keys.checkout.id}`, 1080],
  ]) {
    await who.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    await who.setViewportSize({ width: 1120, height });
    await who.goto(path);
    if (!folder) {
      await picture(who, name);
      continue;
    }
    mkdirSync(folder, { recursive: true });
    await who.screenshot({ path: join(folder, `${name}.png`) });
  }
});

after(() => {
  console.log(`axe: ${table.length} pages and states, light at ${WIDTHS.join(", ")} pixels, dark at the first and the last: no violation`);
});
