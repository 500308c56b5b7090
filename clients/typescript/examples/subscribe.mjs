import { run } from "callboard";

await run(async (board) => {
  for await (const news of await board.subscribe("news", { since: 0 })) {
    console.log(news.seq, JSON.stringify(news.content));
  }
});
