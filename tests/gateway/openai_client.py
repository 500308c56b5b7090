"""OpenAI's own client against the server, with nothing changed but the base URL. Fails by an assertion."""

import os
import sys

import openai
from openai import OpenAI

base, token = os.environ["CALLBOARD_URL"] + "/v1", os.environ.get("CALLBOARD_TOKEN", "sk-none-of-yours")
client = OpenAI(base_url=base, api_key=token, max_retries=0, timeout=60)


def refused(kind, call):
    """The error of that class that a call must end in."""
    try:
        call()
    except kind as error:
        assert type(error) is kind, type(error)
        return error
    raise AssertionError(f"{kind.__name__} did not come")


def says(content, **more):
    return client.chat.completions.create(model="nyx", messages=[{"role": "user", "content": content}], **more)


# The agents are the models.
names = [model.id for model in client.models.list()]
assert "nyx" in names and "sage" in names, names
assert client.models.retrieve("nyx").owned_by == "callboard"
assert refused(openai.NotFoundError, lambda: client.models.retrieve("gpt-5")).code == "model_not_found"

# Whole, and piece by piece.
whole = says("what is 6 times 7?")
assert whole.object == "chat.completion" and whole.model == "nyx", whole
assert "42" in whole.choices[0].message.content and whole.choices[0].finish_reason == "stop", whole
assert whole.choices[0].message.role == "assistant" and whole.usage.total_tokens >= 0
chunks = list(says("what is 6 times 7?", stream=True, stream_options={"include_usage": True}))
assert chunks[0].choices[0].delta.role == "assistant"
pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
assert "".join(pieces) == whole.choices[0].message.content, pieces
assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
assert chunks[-1].choices == [] and chunks[-1].usage is not None, chunks[-1]
assert all(chunk.usage is None for chunk in chunks[:-1])
assert len({chunk.id for chunk in chunks}) == 1
with client.chat.completions.stream(model="nyx", messages=[{"role": "user", "content": "what is 2 + 2?"}]) as stream:
    assert "4" in stream.get_final_completion().choices[0].message.content

# What was said before is sent again by the client, and known to the agent.
said = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "my favourite colour is vermilion"},
    {"role": "assistant", "content": "Good to know."},
    {"role": "user", "content": [{"type": "text", "text": "summarize our conversation"}]},
]
summary = client.chat.completions.create(model="nyx", messages=said).choices[0].message.content
assert "vermilion" in summary, summary

# A conversation that the server keeps.
first = says("what is 20 + 3?", metadata={"conversation_id": "kept-by-the-server"})
assert first.metadata["conversation_id"] == "kept-by-the-server"
second = says("summarize our conversation", metadata={"conversation_id": "kept-by-the-server"})
assert "20 + 3" in second.choices[0].message.content, second

# Responses.
response = client.responses.create(model="nyx", input="what is 40 + 4?", instructions="Answer briefly.")
assert response.status == "completed" and "44" in response.output_text, response
assert client.responses.retrieve(response.id).output_text == response.output_text
onward = client.responses.create(model="nyx", input="summarize our conversation", previous_response_id=response.id)
assert "40 + 4" in onward.output_text and onward.conversation.id == response.conversation.id, onward
elsewhere = client.responses.create(model="nyx", input=said[-1:], conversation=response.conversation.id)
assert elsewhere.conversation.id == response.conversation.id
events = list(client.responses.create(model="nyx", input="what is 40 + 4?", stream=True))
kinds = [event.type for event in events]
assert kinds[:4] == [
    "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
], kinds
assert kinds[-4:] == [
    "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
], kinds
deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
assert deltas == events[-1].response.output_text and "44" in deltas
assert [event.sequence_number for event in events] == list(range(len(events)))
with client.responses.stream(model="nyx", input="what is 1 + 1?") as stream:
    assert "2" in stream.get_final_response().output_text

# Errors, as the client knows them.
assert refused(openai.NotFoundError, lambda: client.chat.completions.create(model="gpt-5", messages=said)).code
tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
error = refused(openai.BadRequestError, lambda: says("hello", tools=[tool]))
assert error.param == "tools" and error.type == "invalid_request_error", error
assert refused(openai.BadRequestError, lambda: says("hello", n=2)).param == "n"
assert refused(openai.BadRequestError, lambda: says("")).param == "messages"
picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
assert refused(openai.BadRequestError, lambda: says(picture)).param == "messages[0].content[0]"
refused(openai.NotFoundError, lambda: client.responses.retrieve("resp_run-1-1-1"))
forged = OpenAI(base_url=base, api_key="eyJhbGciOiJIUzI1NiJ9.e30.AAAA", max_retries=0)
assert refused(openai.AuthenticationError, lambda: forged.models.list()).code == "invalid_api_key"
unknown = OpenAI(base_url=base, api_key="cbk_0000000000000000_0000", max_retries=0)
refused(openai.AuthenticationError, lambda: unknown.models.list())
if os.environ.get("CALLBOARD_CLOSED"):
    stranger = OpenAI(base_url=base, api_key="sk-none-of-yours", max_retries=0)
    refused(openai.AuthenticationError, lambda: stranger.models.list())
else:
    assert says("what is 6 times 7?").choices

print("OK", openai.__version__)
sys.exit(0)
