// The client in TypeScript against a real server: in Node.js, and in Debian's Chromium.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const examples = join(here, "../../clients/typescript/examples");
const installed = join(here, ".tools/node_modules/callboard/dist");
const { Agent, Failed, Refused, Unreachable, connect } = await import(pathToFileURL(join(installed, "index.js")));
const PATIENCE = 60_000;
const program = process.env.CALLBOARD;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A certificate of its own for a server, in files. */
function certify(folder) {
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"];
  const names = ["-subj", "/CN=callboard", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...curve, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
  chmodSync(key, 0o600);
  return { cert, key };
}

/** Whether a server is ready; `ca` is the certificate that is trusted. */
const isReady = (url, ca) =>
  new Promise((resolve) => {
    const asked = (ca ? https : http).get(`${url}/health/ready`, { ca }, (answer) => resolve(answer.resume().statusCode === 200));
    asked.on("error", () => resolve(false));
  });

/** A server of its own, on a port that stays the same over restarts; `encrypted`: over TLS. */
async function house(t, variables = {}, encrypted = false) {
  const folder = mkdtempSync(join(tmpdir(), "callboard-"));
  const { cert, key } = encrypted ? certify(folder) : {};
  if (encrypted) variables = { ...variables, CALLBOARD_TLS__CERT: cert, CALLBOARD_TLS__KEY: key };
  const bind = `127.0.0.1:${await freePort()}`;
  const env = { PATH: process.env.PATH, CALLBOARD_RATE__FRAMES_PER_SECOND: "100000", CALLBOARD_RATE__FRAMES_BURST: "200000", ...variables };
  const data = join(folder, "data");
  let child;
  const it = {
    url: `http${encrypted ? "s" : ""}://${bind}`,
    cert,
    async start() {
      child = spawn(program, ["serve", "--bind", bind, "--data-dir", data], { env, cwd: folder, stdio: "ignore" });
      for (const until = Date.now() + PATIENCE; ; await sleep(20)) {
        if (await isReady(it.url, cert && readFileSync(cert))) return;
        assert.ok(Date.now() < until && child.exitCode === null, "the server does not start");
      }
    },
    async kill() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await ended;
    },
    token: (agent) =>
      JSON.parse(execFileSync(program, ["token", "--tenant", "default", "--agent", agent, "--data-dir", data, "--json"], { env })).token,
  };
  await it.start();
  t.after(async () => {
    await it.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return it;
}

async function board(t, where) {
  const board = await connect(where);
  t.after(() => board.close());
  return board;
}

async function take(subscription, count) {
  const taken = [];
  while (taken.length < count) taken.push((await subscription.next()).value);
  return taken;
}

const listed = async (board, name) => {
  while (!(await board.agents()).some((agent) => agent.name === name)) await sleep(10);
};

const options = { timeout: 3 * PATIENCE };

test("agents answer whole, in pieces and one after another", options, async (t) => {
  const server = await house(t);
  const one = await board(t, { url: server.url });
  const reply = await one.chat("what is 15% of 240?", { agent: "nyx", conversation: "c" });
  assert.deepEqual([reply.text, reply.agent, reply.conversation], ["15% of 240 = 36", "nyx", "c"]);
  const stream = one.stream("what is 6 times 7?", { agent: "nyx", conversation: "c" });
  let joined = "";
  for await (const piece of stream) joined += piece;
  assert.equal(joined, stream.reply.text);
  assert.equal((await one.command("project", { path: "." }, { agent: "nyx" })).complete, true);
  await one.join("c", ["nyx", "aria"]);
  const replies = await one.replies("how are you?", { conversation: "c" });
  assert.deepEqual(replies.map(({ agent }) => agent), ["nyx", "aria"]);
  await one.handoff("c", "nyx", "sage", "knows best");
  assert.equal((await one.chat("who are you?", { conversation: "c" })).agent, "sage");
  assert.equal((await one.history("c"))[0].content, "what is 15% of 240?");
  assert.equal((await one.status("nyx")).agentId, "nyx");
  await assert.rejects(one.chat("hello", { agent: "bob" }), (error) => error instanceof Failed && error.code === "AGENT_NOT_FOUND");
});

test("a subscription goes on over a restart without hole or double", options, async (t) => {
  const server = await house(t);
  const one = await board(t, { url: server.url });
  const other = await board(t, { url: server.url });
  const subscription = await one.subscribe("news");
  const watched = await one.watch({ events: ["run_status"] });
  for (const n of range(1, 10)) assert.equal(await other.publish("news", n), n);
  const first = await take(subscription, 5);
  await server.kill();
  const pending = range(11, 15).map((n) => other.publish("news", n));
  await server.start();
  const seqs = await Promise.all(pending);
  assert.deepEqual(seqs.sort((a, b) => a - b), range(11, 15));
  const all = [...first, ...(await take(subscription, 10))];
  assert.deepEqual(all.map(({ seq }) => seq), range(1, 15));
  assert.deepEqual(all.map(({ content }) => content).sort((a, b) => a - b), range(1, 15));
  let heard = null;
  const hearing = watched.next().then(({ value }) => (heard = value));
  while (!heard) await other.chat("6 * 7", { agent: "nyx" });
  await hearing;
  assert.deepEqual([heard.type, heard.agent], ["run_status", "nyx"]);
  await subscription.close();
  assert.equal((await subscription.next()).done, true);
});

test("whoever is slow misses nothing", options, async (t) => {
  const server = await house(t);
  const one = await board(t, { url: server.url });
  for (let n = 0; n < 1500; n += 25) await Promise.all(range(1, 25).map((m) => one.publish("news", n + m)));
  const subscription = await one.subscribe("news", { since: 0 });
  while (subscription.queue.length < 1024) await sleep(10);
  const taken = await take(subscription, 1500);
  assert.deepEqual(taken.map(({ seq }) => seq), range(1, 1500));
  await assert.rejects(one.subscribe("news"), RangeError);
});

test("who is not let in is told so", options, async (t) => {
  const server = await house(t, { CALLBOARD_AUTH__REQUIRED: "true" });
  await assert.rejects(connect({ url: server.url }), Refused);
  const one = await board(t, { url: server.url, token: server.token("reader") });
  assert.equal((await one.chat("6 * 7", { agent: "nyx" })).text, "6 * 7 = 42");
  const agent = new Agent({ url: server.url, token: "no token" });
  agent.answer(() => "");
  await assert.rejects(agent.serve(), Refused);
  await one.close();
  await server.kill();
  await assert.rejects(connect({ url: server.url }), Unreachable);
});

test("an agent serves over a restart", options, async (t) => {
  const server = await house(t);
  const agent = new Agent({ url: server.url, token: server.token("counter") });
  agent.answer(async (run) => {
    await run.step("Counting");
    return `${run.text.split(" ").length} words`;
  });
  let ready = 0;
  const serving = agent.serve(() => (ready += 1));
  for (const times of [1, 2]) {
    while (ready < times) await sleep(10);
    const one = await connect({ url: server.url });
    const steps = await one.watch({ stream: "thoughts", agent: "counter" });
    await listed(one, "counter");
    assert.equal((await one.chat("one two three", { agent: "counter" })).text, "3 words");
    assert.equal((await steps.next()).value.data.content, "Counting");
    await one.close();
    if (times === 2) break;
    await server.kill();
    await server.start();
  }
  await agent.close();
  await serving;
});

test("a method is an agent by its decorator", options, async (t) => {
  const server = await house(t);
  const agent = new Agent({ url: server.url, token: server.token("counter") });
  // As compilers write it out: the method, and what it is told of its place.
  class Counter {
    words = "words";
    count(run) {
      return `${run.text.split(" ").length} ${this.words}`;
    }
  }
  const initializers = [];
  const method = Counter.prototype.count;
  const { answer } = agent;
  assert.equal(answer(method, { kind: "method", name: "count", static: false, addInitializer: (use) => initializers.push(use) }), method);
  await assert.rejects(agent.serve(), TypeError);
  for (const use of initializers) use.call(new Counter());
  const serving = agent.serve();
  const one = await board(t, { url: server.url });
  await listed(one, "counter");
  assert.equal((await one.chat("one two three", { agent: "counter" })).text, "3 words");
  await agent.close();
  await serving;
});

/** The examples as people run them: those in TypeScript compiled, with all that is strict. */
function prepared(folder) {
  const names = readdirSync(examples);
  for (const name of names) {
    const text = readFileSync(join(examples, name), "utf8");
    assert.ok(text.trimEnd().split("\n").length <= 10, `${name} has more than ten lines`);
    copyFileSync(join(examples, name), join(folder, name));
  }
  const compiler = join(examples, "../node_modules/typescript/bin/tsc");
  const typed = names.filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
  const flags = ["--strict", "--target", "ES2022", "--module", "NodeNext", "--rootDir", folder];
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  execFileSync(process.execPath, [compiler, ...flags, ...typed], { stdio: ["ignore", "inherit", "inherit"] });
  return names.map((name) => name.replace(/\..*$/, "")).sort();
}

test("the examples run", options, async (t) => {
  const server = await house(t);
  const folder = mkdtempSync(join(here, ".tools/examples-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  assert.deepEqual(prepared(folder), ["chat", "publish", "serve", "stream", "subscribe"]);
  const env = { ...process.env, CALLBOARD_URL: server.url, CALLBOARD_TOKEN: server.token("counter") };
  const run = (name) => {
    const program = readdirSync(folder).find((file) => file === `${name}.mjs` || file === `${name}.js`);
    const child = spawn(process.execPath, [join(folder, program)], { env, stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  };
  for (const [name, expected] of [["chat", "nyx: 15% of 240 = 36"], ["stream", "15% of 240 = 36"], ["publish", "1"]]) {
    assert.equal((await run(name).next()).value, expected);
  }
  assert.equal((await run("subscribe").next()).value, '1 {"headline":"hello"}');
  assert.equal((await run("serve").next()).value, "connected");
  const one = await board(t, { url: server.url });
  await listed(one, "counter");
  assert.equal((await one.chat("how many words are these", { agent: "counter" })).text, "5 words");
});

test("over TLS whoever trusts the certificate is let in", options, async (t) => {
  const server = await house(t, {}, true);
  await assert.rejects(connect({ url: server.url }), (error) => error instanceof Unreachable && /certificate/.test(error.message));
  // Node.js reads whom to trust when it begins.
  const program = `import { run } from ${JSON.stringify(pathToFileURL(join(installed, "index.js")))};
    await run(async (board) => console.log((await board.chat("6 * 7", { agent: "nyx" })).text, (await board.agents()).length));`;
  const env = { ...process.env, CALLBOARD_URL: server.url.replace("https", "wss"), NODE_EXTRA_CA_CERTS: server.cert };
  const said = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], { env });
  assert.equal(said.stdout, "6 * 7 = 42 3\n");
});

test("it works in a browser", options, async (t) => {
  const server = await house(t, { CALLBOARD_AUTH__REQUIRED: "true" });
  const { chromium } = createRequire(join(here, "../browser/.tools/node_modules/"))("playwright-core");
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  t.after(() => browser.close());
  const page = await browser.newPage({ bypassCSP: true });
  await page.route("**/client/*", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").pop();
    return route.fulfill({ contentType: "text/javascript", body: readFileSync(join(installed, name), "utf8") });
  });
  await page.goto(server.url);
  const said = await page.evaluate(async (token) => {
    const { connect } = await import("/client/index.js");
    const board = await connect({ token });
    const { text } = await board.chat("6 * 7", { agent: "nyx" });
    const seq = await board.publish("news", text);
    for await (const news of await board.subscribe("news", { since: 0 })) {
      await board.close();
      return [text, seq, news.content];
    }
  }, server.token("reader"));
  assert.deepEqual(said, ["6 * 7 = 42", 1, "6 * 7 = 42"]);
});
