"""A server of the Model Context Protocol over standard input and output, with tools that behave and tools that do not."""

import json
import os
import sys

TOOLS = {
    "echo": "Say the same again",
    "fail": "Fail",
    "crash": "End this program",
    "hang": "Never answer",
    "grow": "Have one tool more from now on",
    "seen": "Say what came with this call, and what this program knows of its surroundings",
}
told = open(os.environ["TOLD"], "a", buffering=1) if "TOLD" in os.environ else None


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def tools():
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return [{"name": name, "description": about, "inputSchema": schema} for name, about in TOOLS.items()]


def call(request):
    name, arguments = request["params"]["name"], request["params"].get("arguments") or {}
    text, wrong = arguments.get("text", ""), False
    if name == "crash":
        os._exit(3)
    if name == "hang":
        return
    if name == "grow":
        TOOLS["more"] = "One more"
        send({"method": "notifications/tools/list_changed"})
    elif name == "fail":
        text, wrong = "it went wrong on purpose", True
    elif name == "seen":
        meta = request["params"].get("_meta", {})
        text = json.dumps({"traceparent": meta.get("traceparent"), "environment": sorted(os.environ)})
    send({"id": request["id"], "result": {"content": [{"type": "text", "text": text}], "isError": wrong}})


for line in sys.stdin:
    request = json.loads(line)
    method = request.get("method", "")
    if told and method.startswith("notifications/"):
        told.write(method + "\n")
    if method == "initialize":
        version = request["params"]["protocolVersion"]
        about = {"name": "misbehaving", "version": "1"}
        result = {"protocolVersion": version, "capabilities": {"tools": {"listChanged": True}}, "serverInfo": about}
        send({"id": request["id"], "result": result})
    elif method == "tools/list":
        send({"id": request["id"], "result": {"tools": tools()}})
    elif method == "tools/call":
        call(request)
    elif "id" in request:
        send({"id": request["id"], "result": {}})
