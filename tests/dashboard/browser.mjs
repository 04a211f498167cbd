// Chromium, and what every page that it shows is held against: axe finds nothing, nothing is scrolled sideways, nothing is logged.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Where screenshots go, for whoever wants to look.
export const PICTURES = process.env.KAGIYA_TEST_PICTURES ?? "target/dashboard";
export const PASSWORD = "correct horse battery staple";

export function launch() {
  return chromium.launch({
    executablePath: process.env.KAGIYA_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--force-color-profile=srgb", "--font-render-hinting=none"],
  });
}

// A browser of somebody's own. What it logs, and what it cannot load, fails the test that asks for `quiet`.
export async function visitor(chrome, { locale = "en-GB", theme = "light", width = 1280, height = 900, script = true } = {}) {
  const context = await chrome.newContext({
    locale, colorScheme: theme, viewport: { width, height }, javaScriptEnabled: script, reducedMotion: "reduce",
  });
  if (script) await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.complaints = [];
  page.on("console", (message) => {
    // A page that says no is a page all the same.
    const refused = /the server responded with a status of 4\d\d/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !refused) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("requestfailed", (request) => {
    // Whoever goes on before a picture is there wants it no more; an answer that must not be stored is not there when going back.
    const why = request.failure()?.errorText;
    if (!["net::ERR_ABORTED", "net::ERR_CACHE_MISS"].includes(why)) page.complaints.push(`${request.url()}: ${why}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (page.allowed && !page.allowed.includes(url.origin)) page.complaints.push(`it asks elsewhere: ${url.origin}`);
    if (request.url().includes("kgy_1")) page.complaints.push(`a key in an address: ${url.pathname}`);
  });
  return page;
}

export async function quiet(page) {
  assert.deepEqual(page.complaints, []);
  assert.ok(!(await page.title()).includes("kgy_1"), "a key in the title");
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.equal(kept, "[{},{}]", "something is kept in the browser's storage");
}

// Violations of any severity, by axe's rules for WCAG 2.2 AA and its own advice.
export async function violations(page) {
  // The policy of our pages lets no script in but ours; evaluate() comes in by the debugger, as the reader's own extensions do.
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map(({ id, impact, nodes }) => ({
    id, impact, nodes: nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
  }));
}

export async function sideways(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

export async function picture(page, name) {
  const path = join(PICTURES, `${name}.png`);
  mkdirSync(dirname(path), { recursive: true });
  await page.screenshot({ path, fullPage: true });
}

// Makes an account by a link.
export async function join_by(page, link, name) {
  await page.goto(link);
  await page.fill("[name=name]", name);
  await page.fill("[name=login_name]", name.toLowerCase().replace(/\s+/g, "."));
  await page.fill("[name=password]", PASSWORD);
  await page.click("main form button.accent");
  await page.waitForURL(/\/keys$/);
}

export async function sign_in(page, base, name) {
  await page.goto(`${base}/dashboard/sign-in`);
  await page.fill("[name=login_name]", name);
  await page.fill("[name=password]", PASSWORD);
  await page.click("main form button.accent");
  await page.waitForURL((url) => !url.pathname.endsWith("/sign-in"));
}
