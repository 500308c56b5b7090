// A server that asks for credentials.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, Browser, House, live, output } from "./house.mjs";

let house;
let browser;

before(async () => {
  house = await House.start("[auth]\nrequired = true");
  browser = await Browser.start();
});
after(async () => {
  await browser?.close();
  await house?.close();
});

test("a token is asked for, kept for the tab alone, and forgotten on request", async () => {
  const page = await browser.page(house);
  const field = page.getByLabel("Token or API key");
  await field.waitFor();
  await accessible(page, "the page that asks for credentials");
  await page.screenshot({ path: `${output}lock.png` });
  await field.fill("not.a.token");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("#lock-reason", { hasText: /\w/ }).waitFor();

  const token = house.token("--agent", "visitor");
  await field.fill(token);
  await page.getByRole("button", { name: "Continue" }).click();
  await live(page);
  await page.locator(".agent", { hasText: "nyx" }).waitFor();
  await page.goto(`${house.url}/#/conversation/guarded`);
  await page.getByLabel("Message", { exact: true }).fill("compute 6 * 7");
  await page.keyboard.press("Enter");
  await page.locator(".message.assistant", { hasText: "42" }).waitFor();
  // What only operators may see is not shown, and said so.
  await page.goto(`${house.url}/#/system`);
  await page.getByText("Not for these credentials").first().waitFor();
  const kept = await page.evaluate(() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie, location.href]);
  assert.ok(kept[0].includes(token) && !kept.slice(1).join().includes(token));

  await page.reload();
  await live(page);
  const other = await browser.context.newPage();
  await other.goto(house.url);
  await other.getByLabel("Token or API key").waitFor();
  await other.close();

  await page.getByRole("button", { name: "Sign out" }).click();
  await field.waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.close();
});

test("an operator sees the configuration, without secrets", async () => {
  const page = await browser.page(house, "#/system");
  await page.getByLabel("Token or API key").fill(house.token("--agent", "boss", "--scope", "admin"));
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator(".settings div", { hasText: "runs in flight" }).getByText("32").waitFor();
  await page.locator("table td", { hasText: "boss" }).waitFor();
  await page.close();
});
