import { run } from "callboard";

await run(async (board) => {
  for await (const piece of board.stream("what is 15% of 240?", { agent: "nyx" })) {
    process.stdout.write(piece);
  }
});
