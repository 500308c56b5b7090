// A tool that needs approval: somebody decides on the page.
import { after, before, test } from "node:test";
import { Browser, House, live } from "./house.mjs";

const CAREFUL = `name = "nyx"
title = "code and project analyst"
description = "I search, if I may."
greeting = "Hello."
specialities = ["code"]
tools = ["arithmetic", "search"]
approval = ["search"]
brain = "builtin"
`;

let house;
let browser;

before(async () => {
  house = await House.start("", { nyx: CAREFUL });
  browser = await Browser.start();
});
after(async () => {
  await browser?.close();
  await house?.close();
});

const ask = async (page) => {
  await page.getByLabel("Message", { exact: true }).fill("search for toolbox");
  await page.keyboard.press("Enter");
  await page.locator(".approval .tool", { hasText: "search" }).waitFor();
};

test("what waits for approval is approved, also after a restart, and the run says why it waited", async () => {
  const page = await browser.page(house, "#/conversation/careful");
  await live(page);
  await ask(page);
  const run = await page.locator(".working").getByRole("link", { name: "run" }).getAttribute("href");
  await house.down();
  await page.locator(".signal.offline").waitFor();
  await house.up();
  await live(page);
  // Whoever comes later is asked as well.
  const other = await browser.page(house, "#/conversation/careful");
  await other.locator(".approval .tool", { hasText: "search" }).waitFor();
  await other.close();
  await page.locator(".approval").getByRole("button", { name: "Approve" }).click();
  await page.locator(".message.assistant:not(.working)", { hasText: "toolbox.rs" }).waitFor();
  await page.locator(".approval").waitFor({ state: "detached" });
  await page.goto(`${house.url}/${run}`);
  await page.locator(".timeline li", { hasText: "Waited for approval" }).waitFor();
  await page.locator(".facts div", { hasText: "For approval" }).waitFor();
  await page.close();
});

test("what is rejected ends with the reason", async () => {
  const page = await browser.page(house, "#/conversation/refused");
  await live(page);
  await ask(page);
  await page.getByLabel(/^Reason/).fill("not today");
  await page.locator(".approval").getByRole("button", { name: "Reject" }).click();
  await page.locator(".working.over", { hasText: "not today" }).waitFor();
  await page.close();
});

test("it is decided on the page of the run as well", async () => {
  const page = await browser.page(house, "#/conversation/elsewhere");
  await live(page);
  await ask(page);
  await page.locator(".working").getByRole("link", { name: "run" }).click();
  await page.locator(".timeline li", { hasText: "Waits for approval" }).waitFor();
  await page.getByRole("button", { name: "Approve" }).click();
  await page.locator(".timeline li", { hasText: "Answered" }).waitFor();
  await page.close();
});
