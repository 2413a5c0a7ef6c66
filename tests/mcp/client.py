"""An MCP client on the official Python SDK, told what to do by a test.

The one argument is JSON: `mode` as the SDK has it, and either `command` with `arguments`, or `url` with `token`. It writes one
line of JSON with what the server says of itself, then one for each line that it reads: a tool's name and arguments in, the
result out.
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


def say(value):
    print(json.dumps(value), flush=True)


async def talk(server, mode):
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        say({
            "version": client.protocol_version,
            "instructions": client.instructions,
            "tools": [tool.model_dump(mode="json", by_alias=True) for tool in tools],
        })
        while line := await asyncio.to_thread(sys.stdin.readline):
            call = json.loads(line)
            result = await client.call_tool(call["name"], call["arguments"])
            say({"text": "\n".join(part.text for part in result.content), "failed": bool(result.is_error)})


async def main():
    told = json.loads(sys.argv[1])
    if "command" in told:
        server = StdioServerParameters(command=told["command"], args=told["arguments"])
        await talk(server, told["mode"])
    else:
        headers = {"Authorization": "Bearer " + told["token"]}
        async with create_mcp_http_client(headers=headers) as http:
            await talk(streamable_http_client(told["url"], http_client=http), told["mode"])


asyncio.run(main())
