import { Agent } from "callboard";

const agent = new Agent(); // its token: callboard token --tenant default --agent counter

agent.answer(async (run) => {
  await run.step("Counting the words");
  return `${run.text.split(/\s+/).filter(Boolean).length} words`;
});

await agent.serve(() => console.log("connected"));
