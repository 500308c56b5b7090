import callboard


async def main(board: callboard.Board) -> None:
    async for piece in board.stream("what is 15% of 240?", agent="nyx"):
        print(piece, end="", flush=True)


callboard.run(main)
