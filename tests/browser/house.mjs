// A world of its own for each test: a server on a port of its own over a folder of its own, and pages that look at it.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL(".tools/", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** How long something may take on a machine that is busy with other things, in milliseconds. */
const PATIENCE = Number(process.env.PATIENCE ?? 60_000);

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const output = fileURLToPath(new URL("output/", import.meta.url));
mkdirSync(output, { recursive: true });

const BINARY = process.env.CALLBOARD;
assert.ok(BINARY, "CALLBOARD names the server's program");

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A server that can be stopped and started again. */
export class House {
  static async start(config = "", agents = {}) {
    const house = new House();
    house.world = mkdtempSync(join(tmpdir(), "console-"));
    house.port = await freePort();
    mkdirSync(join(house.world, "workspace"));
    writeFileSync(join(house.world, "workspace", "toolbox.rs"), "fn toolbox() {}\n");
    const names = Object.keys(agents);
    if (names.length) mkdirSync(join(house.world, "agents"));
    for (const name of names) writeFileSync(join(house.world, "agents", `${name}.toml`), agents[name]);
    const dir = names.length ? `agents_dir = ${JSON.stringify(join(house.world, "agents"))}\n` : "";
    writeFileSync(join(house.world, "callboard.toml"), `[server]\n${dir}drain = "1s"\n${config}`);
    await house.up();
    return house;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  #env() {
    return { PATH: process.env.PATH, CALLBOARD_CONFIG: join(this.world, "callboard.toml"), CALLBOARD_SERVER__WORKSPACE: join(this.world, "workspace") };
  }

  async up() {
    const args = ["serve", "--bind", `127.0.0.1:${this.port}`, "--data-dir", join(this.world, "data")];
    this.child = spawn(BINARY, args, { env: this.#env(), stdio: ["ignore", "ignore", "pipe"] });
    this.log = "";
    this.child.stderr.on("data", (text) => {
      this.log += text;
    });
    const end = Date.now() + PATIENCE;
    while (!(await fetch(`${this.url}/health/ready`).then((answer) => answer.ok, () => false))) {
      assert.ok(this.child.exitCode === null && Date.now() < end, `the server does not come up:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  down(signal = "SIGTERM") {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode) return resolve();
      this.child.once("exit", resolve);
      this.child.kill(signal);
    });
  }

  async close() {
    await this.down("SIGKILL");
    rmSync(this.world, { recursive: true, force: true });
  }

  token(...more) {
    const args = ["token", "--tenant", "default", ...more, "--data-dir", join(this.world, "data")];
    return execFileSync(BINARY, args, { env: this.#env(), encoding: "utf8" }).trim().split("\n").at(-1);
  }

  get(path, token) {
    return fetch(this.url + path, { headers: token ? { authorization: `Bearer ${token}` } : {} }).then((answer) => answer.json());
  }
}

/** A browser with a profile of its own. */
export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), "console-profile-"));
    const settings = { executablePath: "/usr/bin/chromium", args: FLAGS, viewport: { width: 1400, height: 900 } };
    browser.context = await chromium.launchPersistentContext(browser.profile, settings);
    browser.context.setDefaultTimeout(PATIENCE);
    browser.problems = [];
    return browser;
  }

  /** A page of the console. What it throws or is refused by its policy fails the test at its end. */
  async page(house, path = "") {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.problems.push(error.stack ?? error.message));
    page.on("console", (message) => {
      if (/Content Security Policy|Uncaught/.test(message.text())) this.problems.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(house.url)) this.problems.push(`asked elsewhere: ${request.url()}`);
    });
    await page.goto(`${house.url}/${path}`);
    return page;
  }

  async close() {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
    assert.deepEqual(this.problems, []);
  }
}

/** The page is connected. */
export const live = (page) => page.locator(".signal.online").waitFor();

/** Nothing serious is found by axe; what is looked at can be all of the page. */
export async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 3).map((node) => `${node.html}\n    ${node.failureSummary}`).join("\n  ")}`);
  assert.equal(told.join("\n"), "", `${where}: axe finds`);
}
