import callboard


async def main(board: callboard.Board) -> None:
    print(await board.publish("news", {"headline": "hello"}))


callboard.run(main)
