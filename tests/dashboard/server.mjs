// A kagiya of a test's own: a process on a free port with an empty data folder, and what its operator does by the API.

import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = process.env.KAGIYA_TEST_BINARY;
if (!BINARY) throw new Error("KAGIYA_TEST_BINARY must name the program to be tested");

export const PAYMENT = "https://payment.example.com/api";
export const CART = "https://cart.example.com/api";

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Server {
  // `toml` is its configuration file, `host` what browsers call it.
  static async start({ toml = "", host = "127.0.0.1" } = {}) {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), "kagiya-dashboard-"));
    server.port = await freePort();
    server.base = `http://${host}:${server.port}`;
    const config = join(server.folder, "config.toml");
    writeFileSync(config, toml);
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("KAGIYA_"));
    server.environment = {
      ...Object.fromEntries(own),
      KAGIYA_CONFIG: config,
      KAGIYA_DATA_DIR: join(server.folder, "data"),
      KAGIYA_LISTEN: `127.0.0.1:${server.port}`,
      KAGIYA_ISSUER: server.base,
    };
    server.output = "";
    server.process = spawn(BINARY, ["serve"], { env: server.environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [server.process.stdout, server.process.stderr]) {
      stream.on("data", (data) => { server.output += data; });
    }
    for (let waited = 0; ; waited++) {
      const answer = await fetch(`http://127.0.0.1:${server.port}/readyz`).catch(() => null);
      if (answer?.status === 200 && server.output.includes("Ctrl-C stops it.")) break;
      if (waited > 600 || server.process.exitCode !== null) throw new Error(`it does not start:\n${server.output}`);
      await new Promise((done) => setTimeout(done, 50));
    }
    return server;
  }

  // The link that it printed for its first operator.
  firstLink() {
    const found = this.output.match(/https?:\/\/\S+\/dashboard\/links\/(\S+)/);
    if (!found) throw new Error(`it printed no link:\n${this.output}`);
    return `${this.base}/dashboard/links/${found[1]}`;
  }

  command(...args) {
    return execFileSync(BINARY, args, { env: this.environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  }

  async call(method, path, body, token) {
    token ??= this.token ??= this.command("admin", "token");
    const answer = await fetch(`${this.base}${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  async trade(key, form = {}) {
    const body = new URLSearchParams(form);
    const answer = await fetch(`${this.base}/v1/token`, { method: "POST", headers: { "X-API-Key": key }, body });
    return { status: answer.status, ...(await answer.json()) };
  }

  // The worked example: two APIs, two roles for people, an organization.
  async shop() {
    const permissions = [
      { name: "read:payment", description: "See payments and their state" },
      { name: "write:payment", description: "Make payments and give money back" },
    ];
    await this.call("POST", "/v1/resources", { identifier: PAYMENT, name: "Payments", permissions });
    await this.call("POST", "/v1/resources", {
      identifier: CART, name: "Carts", permissions: [{ name: "read:cart", description: "See carts" }, { name: "write:cart" }],
    });
    const scopes = (resource, ...scopes) => ({ resource, scopes });
    const checkout = await this.call("POST", "/v1/roles", {
      name: "checkout", description: "Takes payments", kind: "user", permissions: [scopes(PAYMENT, "read:payment", "write:payment")],
    });
    await this.call("POST", "/v1/roles", {
      name: "support", description: "Sees what customers see", kind: "user",
      permissions: [scopes(PAYMENT, "read:payment"), scopes(CART, "read:cart")],
    });
    const organization = await this.call("POST", "/v1/organizations", { name: "Acme", slug: "acme" });
    return { organization: organization.id, checkout: checkout.id, pages: `${this.base}/dashboard/organizations/${organization.id}` };
  }

  async link(body) {
    return (await this.call("POST", "/v1/sign-in-links", body)).url;
  }

  async stop() {
    this.process.kill("SIGTERM");
    if (this.process.exitCode === null) await new Promise((done) => this.process.once("exit", done));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
