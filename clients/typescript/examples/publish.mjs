import { run } from "callboard";

await run(async (board) => {
  console.log(await board.publish("news", { headline: "hello" }));
});
