import callboard


async def main(board: callboard.Board) -> None:
    async for news in await board.subscribe("news", since=0):
        print(news.seq, news.content, flush=True)


callboard.run(main)
