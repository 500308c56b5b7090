"""The client in Python against a real server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import unittest
from unittest import mock

import callboard
from house import PATIENCE, ROOT, House


class Client(unittest.IsolatedAsyncioTestCase):
    def house(self, **settings) -> House:
        house = House(**settings)
        self.addCleanup(house.close)
        return house

    async def take(self, subscription, count):
        async def taking():
            return [await anext(subscription) for _ in range(count)]

        return await asyncio.wait_for(taking(), PATIENCE)

    async def test_agents_answer_whole_in_pieces_and_one_after_another(self):
        house = self.house()
        async with callboard.connect(house.url) as board:
            reply = await board.chat("what is 15% of 240?", agent="nyx", conversation="c")
            self.assertEqual((reply.text, reply.agent, reply.conversation), ("15% of 240 = 36", "nyx", "c"))
            stream = board.stream("what is 6 times 7?", agent="nyx", conversation="c")
            pieces = [piece async for piece in stream]
            self.assertEqual("".join(pieces), stream.reply.text)
            self.assertEqual((await board.command("project", {"path": "."}, agent="nyx"))["complete"], True)
            await board.join("c", "nyx", "aria")
            replies = await board.replies("how are you?", conversation="c")
            self.assertEqual([reply.agent for reply in replies], ["nyx", "aria"])
            await board.handoff("c", "nyx", "sage", "knows best")
            self.assertEqual((await board.chat("who are you?", conversation="c")).agent, "sage")
            history = await board.history("c")
            self.assertEqual(history[0].content, "what is 15% of 240?")
            self.assertIn("sage", [agent["name"] for agent in await board.agents()])
            self.assertEqual((await board.status("nyx"))["agentId"], "nyx")
            with self.assertRaises(callboard.Failed) as failed:
                await board.chat("hello", agent="bob")
            self.assertEqual(failed.exception.code, "AGENT_NOT_FOUND")

    async def test_a_subscription_goes_on_over_a_restart_without_hole_or_double(self):
        house = self.house()
        async with callboard.connect(house.url) as board, callboard.connect(house.url) as other:
            subscription = await board.subscribe("news")
            watched = await board.watch("run_status")
            for n in range(1, 11):
                self.assertEqual(await other.publish("news", n), n)
            first = await self.take(subscription, 5)
            house.kill()
            # What is published meanwhile waits for the server, and is published once.
            pending = [asyncio.create_task(other.publish("news", n)) for n in range(11, 16)]
            house.start()
            seqs = await asyncio.wait_for(asyncio.gather(*pending), PATIENCE)
            self.assertEqual(sorted(seqs), list(range(11, 16)))
            rest = await self.take(subscription, 10)
            self.assertEqual([news.seq for news in first + rest], list(range(1, 16)))
            self.assertEqual(sorted(news.content for news in first + rest), list(range(1, 16)))
            # Events come again too, as soon as the new connection has subscribed.
            async def ask():
                while True:
                    await other.chat("6 * 7", agent="nyx")

            asking = asyncio.create_task(ask())
            event = (await self.take(watched, 1))[0]
            asking.cancel()
            self.assertEqual((event.type, event.agent), ("run_status", "nyx"))
            await subscription.close()
            with self.assertRaises(StopAsyncIteration):
                await anext(subscription)

    async def test_whoever_is_slow_misses_nothing(self):
        house = self.house()
        async with callboard.connect(house.url) as board:
            for n in range(0, 1500, 25):
                await asyncio.gather(*(board.publish("news", n) for _ in range(25)))
            subscription = await board.subscribe("news", since=0)
            deadline = asyncio.get_running_loop().time() + PATIENCE
            while not subscription._behind:
                self.assertLess(asyncio.get_running_loop().time(), deadline)
                await asyncio.sleep(0.01)
            taken = await self.take(subscription, 1500)
            self.assertEqual([news.seq for news in taken], list(range(1, 1501)))
            with self.assertRaises(ValueError):
                await board.subscribe("news")

    async def test_who_is_not_let_in_is_told_so(self):
        house = self.house(CALLBOARD_AUTH__REQUIRED="true")
        with self.assertRaises(callboard.Refused):
            await callboard.connect(house.url)
        async with callboard.connect(house.url, house.token("reader")) as board:
            self.assertEqual((await board.chat("6 * 7", agent="nyx")).text, "6 * 7 = 42")
        with self.assertRaises(callboard.Refused):
            agent = callboard.Agent(house.url, "no token")
            agent.answer(lambda run: asyncio.sleep(0, ""))
            await agent.serve()
        house.kill()
        with self.assertRaises(callboard.Unreachable):
            await callboard.connect(house.url)

    async def test_over_tls_whoever_trusts_the_certificate_is_let_in(self):
        house = self.house(encrypted=True)
        with self.assertRaisesRegex(callboard.Unreachable, "certificate"):
            await callboard.connect(house.url)
        for variable in ("CALLBOARD_CA_FILE", "SSL_CERT_FILE"):
            with mock.patch.dict(os.environ, {variable: str(house.certificate)}):
                async with callboard.connect(house.url.replace("https", "wss")) as board:
                    self.assertEqual((await board.chat("6 * 7", agent="nyx")).text, "6 * 7 = 42")
                    self.assertIn("nyx", [agent["name"] for agent in await board.agents()])

    async def test_an_agent_serves_over_a_restart(self):
        house = self.house()
        agent = callboard.Agent(house.url, house.token("counter"))
        ready = asyncio.Semaphore(0)

        @agent.answer
        async def count(run):
            await run.step("Counting")
            if run.text == "fail":
                raise ValueError("on purpose")
            return f"{len(run.text.split())} words"

        serving = asyncio.create_task(agent.serve(ready.release))
        try:
            for _ in range(2):
                await asyncio.wait_for(ready.acquire(), PATIENCE)
                async with callboard.connect(house.url) as board:
                    steps = await board.watch(stream="thoughts", agent="counter")
                    # It is online for the agent before it is for everybody.
                    while not any(listed["name"] == "counter" for listed in await board.agents()):
                        await asyncio.sleep(0.01)
                    self.assertEqual((await board.chat("one two three", agent="counter")).text, "3 words")
                    self.assertEqual((await self.take(steps, 1))[0].data["content"], "Counting")
                    with self.assertLogs("callboard"):
                        failed = await board.chat("fail", agent="counter")
                    self.assertIn("ValueError", failed.text)
                house.kill()
                house.start()
        finally:
            serving.cancel()

    async def test_the_examples_run(self):
        house = self.house()
        environment = {**os.environ, "CALLBOARD_URL": house.url, "CALLBOARD_TOKEN": house.token("counter")}

        def example(name):
            path = ROOT / "clients/python/examples" / f"{name}.py"
            return subprocess.Popen(
                [sys.executable, str(path)], env=environment, stdout=subprocess.PIPE, text=True
            )

        for path in (ROOT / "clients/python/examples").glob("*.py"):
            self.assertLessEqual(len(path.read_text().splitlines()), 10, path.name)
        for name, expected in [
            ("chat", "nyx: 15% of 240 = 36\n"), ("stream", "15% of 240 = 36"), ("publish", "1\n"),
        ]:
            said, _ = await asyncio.to_thread(example(name).communicate, timeout=PATIENCE)
            self.assertEqual(said, expected)
        with example("subscribe") as following, example("serve") as serving:
            try:
                line = await asyncio.to_thread(following.stdout.readline)
                self.assertEqual(line, "1 {'headline': 'hello'}\n")
                self.assertEqual(await asyncio.to_thread(serving.stdout.readline), "connected\n")
                async with callboard.connect(house.url) as board:
                    while not any(listed["name"] == "counter" for listed in await board.agents()):
                        await asyncio.sleep(0.01)
                    self.assertEqual((await board.chat("how many words are these", agent="counter")).text, "5 words")
            finally:
                following.kill()
                serving.kill()


if __name__ == "__main__":
    unittest.main()
