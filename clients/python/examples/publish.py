import asyncio

import callboard


async def main() -> None:
    async with callboard.connect() as board:
        print(await board.publish("news", {"headline": "hello"}))


asyncio.run(main())
