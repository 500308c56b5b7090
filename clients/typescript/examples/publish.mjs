import { connect } from "callboard";

const board = await connect();
console.log(await board.publish("news", { headline: "hello" }));
await board.close();
