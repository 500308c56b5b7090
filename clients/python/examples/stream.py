import asyncio

import callboard


async def main() -> None:
    async with callboard.connect() as board:
        async for piece in board.stream("what is 15% of 240?", agent="nyx"):
            print(piece, end="", flush=True)
        print()


asyncio.run(main())
