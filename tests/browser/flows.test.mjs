// What people do with the console, on a live server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, House, live } from "./house.mjs";

let house;
let browser;
let slow;

before(async () => {
  house = await House.start();
  browser = await Browser.start();
});
after(async () => {
  await browser?.close();
  await house?.close();
});

/** An agent of another process, served from a page: it answers only what it is told to. */
async function serve(name, query = "") {
  const page = await browser.page(house, "console/mark.svg");
  const token = house.token("--agent", name);
  await page.evaluate(
    (url) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error("no socket"));
        globalThis.asked = [];
        socket.onmessage = (event) => {
          const message = JSON.parse(event.data);
          if (message.metadata?.run_id) globalThis.asked.push(message);
        };
        globalThis.reply = (type, content) => {
          const reply_to = globalThis.asked.at(-1).id;
          socket.send(JSON.stringify({ id: crypto.randomUUID(), type, content, reply_to }));
        };
      }),
    `ws://127.0.0.1:${house.port}/v1/ws?token=${token}${query}`,
  );
  return {
    asked: (count) => page.waitForFunction((count) => globalThis.asked.length >= count, count),
    reply: (type, content) => page.evaluate(([type, content]) => globalThis.reply(type, content), [type, content]),
    close: () => page.close(),
  };
}

const say = async (page, text) => {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
};
const answers = (page) => page.locator(".messages .message.assistant:not(.working)");

test("a conversation is begun with chosen agents and a mode, and each answers in turn", async () => {
  const page = await browser.page(house, "#/conversation");
  await live(page);
  await page.getByLabel("Name", { exact: true }).fill("rehearsal");
  await page.getByRole("checkbox", { name: /nyx/ }).check();
  await page.getByRole("checkbox", { name: /aria/ }).check();
  await page.getByLabel("Who answers").selectOption("all");
  await page.getByRole("button", { name: "Begin" }).click();
  await page.getByRole("heading", { level: 1, name: "rehearsal" }).waitFor();
  await say(page, "compute 6 * 7");
  await answers(page).nth(1).waitFor();
  const told = await answers(page).allInnerTexts();
  assert.ok(told[0].includes("nyx") && told[0].includes("42"), told[0]);
  assert.ok(told[1].includes("aria"), told[1]);
  assert.equal(await page.locator(".message.user").count(), 1, "the question stands there once");
  // How an answer came about.
  await answers(page).first().getByText("How it came about").click();
  await answers(page).first().locator(".steps .tool", { hasText: "arithmetic" }).waitFor();
  await page.close();
});

test("an answer is watched as it comes about, and a run is cancelled", async () => {
  slow = await serve("slowpoke");
  const page = await browser.page(house, "#/conversation/slow");
  await live(page);
  await page.getByLabel("Bring in").selectOption("slowpoke");
  await page.locator(".people .name", { hasText: "slowpoke" }).waitFor();
  await page.getByLabel("To", { exact: true }).selectOption("slowpoke");
  await say(page, "take your time");
  await slow.asked(1);
  await page.locator(".working", { hasText: "slowpoke" }).waitFor();
  await slow.reply("step", "I look at it from all sides");
  await page.locator(".working .steps", { hasText: "from all sides" }).waitFor();
  await slow.reply("message", "Here it is.\n\nIt took **a while**, and says\n```\nlet there = code;\n```\nat the end.");
  await answers(page).filter({ hasText: "Here it is." }).waitFor();
  assert.equal(await page.locator(".message pre code").innerText(), "let there = code;");
  assert.equal(await page.locator(".working").count(), 0);

  await say(page, "and once more");
  await slow.asked(2);
  await page.locator(".working").getByRole("button", { name: "Cancel" }).click();
  await page.locator(".working .pill", { hasText: "cancelled" }).waitFor();
  await page.close();
});

test("what goes on is seen at the link that was shared, and handed over with a click", async () => {
  const one = await browser.page(house, "#/conversation/shared");
  await live(one);
  await say(one, "compute 6 * 8");
  await answers(one).filter({ hasText: "48" }).waitFor();
  const link = one.url();
  const other = await browser.context.newPage();
  await other.goto(link);
  await answers(other).filter({ hasText: "48" }).waitFor();
  // Whoever writes is seen by the others.
  await one.getByLabel("Message", { exact: true }).pressSequentially("why");
  await other.locator(".typing", { hasText: "writing" }).waitFor();
  await one.getByLabel("Message", { exact: true }).fill("");
  await one.getByLabel("Bring in").selectOption("sage");
  await one.getByRole("button", { name: "Hand over to sage" }).click();
  await one.getByLabel(/Why nyx hands over/).fill("Memory is wanted");
  await one.getByRole("button", { name: "Hand over", exact: true }).click();
  for (const page of [one, other]) {
    await page.locator(".aside", { hasText: "Memory is wanted" }).waitFor();
    await page.locator(".people li", { hasText: "sage" }).getByText("leads").waitFor();
  }
  await say(other, "Why did you take over?");
  for (const page of [one, other]) await answers(page).filter({ hasText: "sage" }).filter({ hasText: "Memory is wanted" }).waitFor();
  assert.equal(await one.locator(".message.user").count(), 2);
  await one.close();
  await other.close();
});

test("the history is paged back to its beginning", async () => {
  const page = await browser.page(house, "#/conversation/long");
  await live(page);
  for (let turn = 1; turn <= 30; turn += 1) {
    await say(page, `compute ${turn} + 0`);
    await answers(page).nth(turn - 1).waitFor();
  }
  await page.reload();
  await live(page);
  await answers(page).filter({ hasText: /30/ }).first().waitFor();
  assert.equal(await page.locator(".message.user").count(), 25, "the last fifty messages");
  await page.getByRole("button", { name: "Earlier messages" }).click();
  await page.locator(".message.user", { hasText: /compute 1 \+ 0/ }).waitFor();
  assert.equal(await page.locator(".message.user").count(), 30);
  assert.equal(await page.getByRole("button", { name: "Earlier messages" }).count(), 0);
  await page.close();
});

test("a restart in the middle leaves neither hole nor double, in a conversation and in a channel", async () => {
  const page = await browser.page(house, "#/conversation/steady");
  const channel = await browser.page(house, "#/channels/steady");
  await live(page);
  await live(channel);
  const publish = async (text) => {
    await channel.getByLabel(/^Publish/).fill(text);
    await channel.getByRole("button", { name: "Publish" }).click();
    await channel.locator(".publications li", { hasText: text }).waitFor();
  };
  await say(page, "compute 1 + 1");
  await answers(page).first().waitFor();
  await publish("before");
  await house.down();
  await page.locator(".signal.offline").waitFor();
  await page.getByLabel("Message", { exact: true }).fill("compute 2 + 2");
  assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
  await house.up();
  // Others go on before this page is back.
  const other = await browser.page(house, "#/conversation/steady");
  await live(other);
  await say(other, "compute 3 + 3");
  await answers(other).nth(1).waitFor();
  await live(page);
  await answers(page).nth(1).waitFor();
  await page.getByLabel("Message", { exact: true }).press("Enter");
  await answers(page).nth(2).waitFor();
  const said = await page.locator(".message.user .prose").allInnerTexts();
  assert.deepEqual(said, ["compute 1 + 1", "compute 3 + 3", "compute 2 + 2"]);
  await live(channel);
  await publish("after");
  assert.deepEqual(await channel.locator(".publications .seq").allInnerTexts(), ["1", "2"]);
  await Promise.all([page.close(), channel.close(), other.close()]);
});

test("a channel is made by publishing, heard live, and replayed from a point", async () => {
  const page = await browser.page(house, "#/channels");
  await live(page);
  await page.getByLabel("Name of a channel").fill("builds");
  await page.keyboard.press("Enter");
  const field = page.getByLabel(/^Publish/);
  for (const text of ["first", '{"build": 2, "ok": true}', "third"]) {
    await field.fill(text);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.waitForFunction(() => document.querySelector("#publish").value === "");
  }
  await page.locator(".publications li").nth(2).waitFor();
  assert.match(await page.locator(".publications pre").innerText(), /"build": 2/);
  await page.getByLabel("Replay from number").fill("3");
  await page.getByRole("button", { name: "Replay" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".publications li").length === 1);
  assert.deepEqual(await page.locator(".publications .seq").allInnerTexts(), ["3"]);
  // Who is in another channel, or in none, is not present in this one.
  const others = [await serve("passer"), await serve("neighbour", "&channel_id=elsewhere")];
  const visitor = await serve("visitor", "&channel_id=builds");
  await page.locator(".presence li", { hasText: "visitor" }).waitFor();
  await page.locator(".presence .others", { hasText: "1 other listener" }).waitFor();
  assert.deepEqual(await page.locator(".presence .name").allInnerTexts(), ["visitor"]);
  await visitor.close();
  await page.locator(".presence .empty").waitFor();
  await Promise.all([page.close(), ...others.map((other) => other.close())]);
});

test("a run is shown along its time", async () => {
  const page = await browser.page(house, "#/conversation/timed");
  const talk = await browser.page(house, "#/conversation/timed");
  await live(page);
  await live(talk);
  await say(page, "compute 6 * 7");
  await answers(page).first().waitFor();
  await page.getByText("How it came about").click();
  await page.getByRole("link", { name: "The whole run" }).click();
  await page.locator(".timeline li", { hasText: "Waited" }).waitFor();
  await page.locator(".timeline .tool", { hasText: "arithmetic" }).waitFor();
  await page.locator(".timeline li", { hasText: "Answered" }).waitFor();
  // All that was asked for in a conversation, from where any of it is seen.
  await say(talk, "compute 6 * 8");
  await answers(talk).nth(1).waitFor();
  await house.down("SIGKILL");
  await house.up();
  await page.reload();
  await page.locator(".crumbs").getByRole("link", { name: "timed", exact: true }).click();
  const runs = page.getByRole("list", { name: "Runs of timed" }).locator("li");
  await runs.nth(1).waitFor();
  assert.deepEqual(await runs.locator(".pill").allInnerTexts(), ["completed", "completed"]);
  await runs.last().getByRole("link").click();
  await page.locator(".timeline li", { hasText: "6 * 7" }).first().waitFor();
  await page.getByRole("link", { name: "Runs", exact: true }).first().click();
  await page.getByLabel("Show a run by its id").waitFor();
  await page.getByLabel("Conversation", { exact: true }).selectOption("timed");
  await page.getByRole("button", { name: "List" }).click();
  await runs.nth(1).waitFor();
  await talk.close();
  await page.close();
});

test("the overview counts what is said", async () => {
  const page = await browser.page(house);
  const talk = await browser.page(house, "#/conversation/counted");
  await live(page);
  await live(talk);
  await say(talk, "compute 6 * 7");
  await answers(talk).first().waitFor();
  await page.locator(".feed li", { hasText: "said: compute 6 * 7" }).waitFor();
  await page.locator(".plot figcaption", { hasText: /[1-9]\d* answers? in the last minute/ }).waitFor();
  const card = page.locator(".agent", { hasText: "nyx" });
  await card.locator("div", { hasText: /^Answers a minute[1-9]/ }).waitFor();
  await page.locator(".uplot canvas").first().waitFor();
  await page.close();
  await talk.close();
});
