import asyncio

import callboard


async def main() -> None:
    async with callboard.connect() as board:
        reply = await board.chat("what is 15% of 240?", agent="nyx")
        print(f"{reply.agent}: {reply.text}")


asyncio.run(main())
