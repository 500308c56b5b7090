import callboard

agent = callboard.Agent()  # its token: callboard token --tenant default --agent counter

@agent.answer
async def count(run: callboard.Run) -> str:
    await run.step("Counting the words")
    return f"{len(run.text.split())} words"

agent.run(lambda: print("connected", flush=True))
