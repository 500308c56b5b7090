import { connect } from "callboard";

const board = await connect();
const reply = await board.chat("what is 15% of 240?", { agent: "nyx" });
console.log(`${reply.agent}: ${reply.text}`);
await board.close();
