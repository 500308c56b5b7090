// How every page looks, in the light, in the dark and on a phone, and what axe finds there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, Browser, House, live, output } from "./house.mjs";

/** An agent whose words are as long as German ones. */
const GERMAN = `name = "sachbearbeitungsassistentin"
title = "Rechtsschutzversicherungsgesellschaftsangelegenheitenbeauftragte"
description = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
greeting = "Guten Tag"
specialities = ["Verkehrsinfrastrukturfinanzierungsgesellschaft"]
tools = ["arithmetic", "project", "search", "clock"]
brain = "builtin"
`;
const AGENT = (name, title) => `name = "${name}"
title = "${title}"
description = "I look into things and say what I find."
greeting = "Hello."
specialities = ["code", "numbers"]
tools = ["arithmetic", "project", "search", "sentiment", "clock", "remember", "recall"]
brain = "builtin"
`;
const SIZES = { wide: { width: 1400, height: 900 }, phone: { width: 390, height: 844 } };

let house;
let browser;
let run;

before(async () => {
  house = await House.start("", {
    aria: AGENT("aria", "reader of language and mood"),
    nyx: AGENT("nyx", "code and project analyst"),
    sachbearbeitungsassistentin: GERMAN,
  });
  browser = await Browser.start();
  const page = await browser.page(house, "#/conversation/stage-plan");
  await live(page);
  const say = (text, count) => ask(page, text, count);
  await page.getByLabel("Bring in").selectOption("nyx");
  await page.locator(".people .name", { hasText: "nyx" }).waitFor();
  await page.getByLabel("Who answers").selectOption("auto");
  await say("@nyx analyze project structure", 1);
  await say("@nyx what is 15% of 240?", 2);
  await say("@aria what is the sentiment of 'a wonderful day at the theatre'?", 3);
  await say("@nyx search for toolbox", 4);
  run = await page.getByRole("link", { name: "The whole run", includeHidden: true }).last().getAttribute("href");
  await page.goto(`${house.url}/#/channels/call-sheet`);
  for (const text of ["Rehearsal begins at ten", '{"act": 2, "scene": 1, "ready": true}', "Bundesausbildungsförderungsgesetzänderungsverordnung ist veröffentlicht"]) {
    await page.getByLabel(/^Publish/).fill(text);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.waitForFunction(() => document.querySelector("#publish").value === "");
  }
  await page.close();
});
after(async () => {
  await browser?.close();
  await house?.close();
});

async function ask(page, text, count) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
  await page.locator(".messages .message.assistant:not(.working)").nth(count - 1).waitFor();
}

/** Every page with what must stand there before it is looked at. */
const pages = () => [
  ["overview", "#/overview", ".uplot canvas"],
  ["conversations", "#/conversation", ".choice >> nth=2"],
  ["conversation", "#/conversation/stage-plan", ".message.assistant >> nth=3"],
  ["runs", "#/runs/stage-plan", ".runs li >> nth=3"],
  ["run", run, ".timeline .answer"],
  ["channels", "#/channels", ".list .rows li"],
  ["channel", "#/channels/call-sheet", ".publications li >> nth=2"],
  ["system", "#/system", ".settings dd >> nth=10"],
];

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`every page, ${size}, ${colorScheme}`, async () => {
      const page = await browser.page(house);
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      // Something happens while the page is open, so that there is something to be seen.
      await page.goto(`${house.url}/#/conversation/stage-plan`);
      await live(page);
      const before = page.locator(".messages .message.assistant:not(.working)");
      await before.nth(3).waitFor();
      const count = await before.count();
      await ask(page, "@nyx compute 6 * 7", count + 1);
      for (const [name, path, there] of pages()) {
        await page.goto(`${house.url}/${path}`);
        await live(page);
        await page.locator(there).first().waitFor();
        await page.screenshot({ path: `${output}${name}-${size}-${colorScheme}.png` });
        await accessible(page, `${name}, ${size}, ${colorScheme}`);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wider <= 0, `${name} is ${wider} pixels wider than a ${size} screen`);
      }
      await page.close();
    });
  }
}

test("the colours are switched by hand, and stay", async () => {
  const page = await browser.page(house);
  await page.emulateMedia({ colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  const next = page.getByRole("button", { name: /^Colours/ });
  await next.click();
  assert.equal(await ground(), light);
  await next.click();
  assert.notEqual(await ground(), light);
  await page.reload();
  assert.notEqual(await ground(), light);
  await next.click();
  assert.equal(await ground(), light);
  await page.close();
});

test("everything is reached with the keyboard", async () => {
  const page = await browser.page(house);
  await live(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.getByRole("link", { name: "Conversations", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Conversations" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.close();
});
