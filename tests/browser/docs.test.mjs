// The description of the API as people read and try it: it loads nothing from elsewhere and breaks no rule of its page.
import { after, before, test } from "node:test";
import { Browser, House } from "./house.mjs";

let house;
let browser;

before(async () => {
  house = await House.start();
  browser = await Browser.start();
});

after(async () => {
  await browser?.close();
  await house?.close();
});

test("an operation is read and tried", async () => {
  const page = await browser.page(house, "docs");
  const operation = page.locator("#operations-agents-listAgents");
  await operation.locator("button").first().click();
  await operation.locator(".execute").click();
  await operation.locator(".live-responses-table", { hasText: "nyx" }).first().waitFor();
  await page.close();
});
