import { connect } from "callboard";

const board = await connect();
for await (const news of await board.subscribe("news", { since: 0 })) {
  console.log(news.seq, JSON.stringify(news.content));
}
