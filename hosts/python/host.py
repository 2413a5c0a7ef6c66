"""A host in Python: `host.py [TOOL JSON]`, or serves and takes lines `TOOL JSON` and `nudge USER TEXT` as its input."""
import json, os, queue, re, signal, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace as Record

from plugin import Plugin

BUILT = Path(__file__).parent / "../../target/wasm32-wasip2/component/friends_chat.wasm"
MAX_BODY_BYTES = 256 << 10
SETTINGS = {"channels.friends.port": os.environ.get("PORT", "3001"), "agent.name": "Echo"}


class Door(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, log_message = "HTTP/1.1", True, lambda *_: None

    def answer(self):
        size, coding = int(self.headers.get("content-length", 0)), self.headers.get("transfer-encoding")
        if coding or not 0 <= size <= MAX_BODY_BYTES: return self.send_error(411 if coding else 413)
        headers = [(name.lower(), value.encode("latin-1")) for name, value in self.headers.items()]
        asked = Record(method=self.command, target=self.path, headers=headers, body=self.rfile.read(size),
                       client=self.client_address[0])
        try:
            response, held = plugin.handle(asked, lambda: self.connection.shutdown(socket.SHUT_RDWR))
        except Exception:
            return self.send_error(503)
        if not held: return self.give(response)
        try:
            self.hold(response, held, **vars(response.hold))
        finally:
            plugin.held.remove(held)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def hold(self, response, held, mode, **terms):
        beat, end, item = terms["keep-alive"], time.monotonic() + terms["life-ms"] / 1000, None
        if mode == "stream":
            self.give(response, ends=False)
        while (left := end - time.monotonic()) > 0:
            try:
                item = held.told(min(left, vars(beat)["every-ms"] / 1000) if beat else left)
            except queue.Empty:
                item = beat.frame if beat else None
            if not isinstance(item, bytes):
                break
            self.wfile.write(item)
        if mode == "response":
            self.give(item or response)

    def give(self, response, ends=True):
        self.send_response_only(response.status)
        for name, value in (field for field in response.headers if field[0] != "host-cache-control"):
            self.send_header(name, value.decode("latin-1"))
        self.send_header(*(("content-length", len(response.body)) if ends else ("connection", "close")))
        self.end_headers()
        self.wfile.write(response.body)


def command(line):
    name, _, rest = line.strip().partition(" ")
    if name != "nudge":
        return str(plugin.call("tools", "call-tool", name, rest or "{}"))
    user, _, text = rest.partition(" ")
    message = Record(content=text, source="owner", priority="normal")
    sent = plugin.call("channel", "send-to-user", user, message)
    return f"connections {sent.connections}" if hasattr(sent, "connections") else f"error {sent.tag}"


file, data = os.environ.get("FRIENDS_CHAT_COMPONENT", BUILT), Path(os.environ.get("DATA", "data"))
plugin = Plugin(file, data, SETTINGS.get, agent=lambda _, message: re.findall(r"\S+\s*", message))
if len(sys.argv) > 1:
    sys.exit(print(command(" ".join(sys.argv[1:]))))
plugin.call("channel", "start")
server = ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(SETTINGS["channels.friends.port"])), Door)
threading.Thread(target=server.serve_forever, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: (plugin.call("channel", "stop"), os._exit(0)))
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(command(line)), flush=True)
