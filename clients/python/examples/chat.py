import callboard


async def main(board: callboard.Board) -> None:
    reply = await board.chat("what is 15% of 240?", agent="nyx")
    print(f"{reply.agent}: {reply.text}")


callboard.run(main)
