import { run } from "callboard";

await run(async (board) => {
  const reply = await board.chat("what is 15% of 240?", { agent: "nyx" });
  console.log(`${reply.agent}: ${reply.text}`);
});
