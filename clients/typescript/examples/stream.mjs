import { connect } from "callboard";

const board = await connect();
for await (const piece of board.stream("what is 15% of 240?", { agent: "nyx" })) {
  process.stdout.write(piece);
}
console.log();
await board.close();
