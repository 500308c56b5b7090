import asyncio

import callboard


async def main() -> None:
    async with callboard.connect() as board:
        async for news in await board.subscribe("news", since=0):
            print(news.seq, news.content, flush=True)


asyncio.run(main())
