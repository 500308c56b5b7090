import { Agent, type Run } from "callboard";
const agent = new Agent(); // its token: callboard token --tenant default --agent counter

class Counter {
  @agent.answer static async count(run: Run) {
    await run.step("Counting the words");
    return `${run.text.split(" ").length} words`;
  }
}
await agent.serve(() => console.log("connected"));
