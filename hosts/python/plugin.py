"""The plugin in a Python program: one instance, its imports, the agent's turns, and the connections that it holds."""
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from queue import SimpleQueue
from threading import RLock

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Variant

MAX_UNREAD_BYTES = 1 << 20


class Held(SimpleQueue):
    """A held connection: what it is to be told, and None for its end. `cut` is called when it does not read."""

    def __init__(self, topics, cut):
        self.topics, self.cut, self.unread = topics, cut, 0

    def tell(self, item):
        self.put(item)
        if isinstance(item, bytes):
            self.unread += len(item)
        if self.unread > MAX_UNREAD_BYTES:
            self.cut()

    def told(self, timeout):
        item = self.get(timeout=timeout)
        if isinstance(item, bytes):
            self.unread -= len(item)
        return item


class Plugin:
    """`setting(key)` gives a text or None; `agent(user, message)` gives the pieces of an answer."""

    def __init__(self, file, directory, setting, agent):
        self.files, self.key, self.agent = directory / "plugin", directory / "invite-key", agent
        self.files.mkdir(parents=True, exist_ok=True)
        if not self.key.exists():
            self.key.touch(0o600)
            self.key.write_bytes(secrets.token_bytes(32))
        self.lock, self.effects, self.held, self.tickets = RLock(), [], [], count(1)
        self.turns, self.lines = set(), {}
        self.linker = Linker(engine := Engine())
        self.linker.add_wasip2()
        self.linker.add_wasi_http()
        with self.linker.root() as root:
            for name, functions in self.imports(setting):
                with root.add_instance(name) as part:
                    for function, does in functions.items():
                        part.add_func(function, lambda _, *given, does=does: does(*given))
        self.component = Component.from_file(engine, file)
        self.instantiate()

    def imports(self, setting):
        def nothing(*_):
            return None

        def unavailable(*_):
            return Variant("unavailable")

        yield "tinyclaw:plugin/agent@0.1.0", {"enqueue": self.enqueue, "cancel": self.cancel}
        yield "tinyclaw:plugin/push@0.1.0", {
            "publish": self.later, "respond": self.later, "close": lambda topic, _: self.later(topic, None),
            "listeners": lambda topic: len(self.on(topic)),
        }
        yield "tinyclaw:plugin/memory@0.1.0", {
            "introduce": nothing, "notes": lambda _: [], "forget": lambda *_: Variant("unknown-note"),
        }
        yield "tinyclaw:plugin/web-push@0.1.0", {
            "public-key": nothing, "check": unavailable, "send": unavailable, "cancel": nothing,
        }
        yield "tinyclaw:plugin/commits@0.1.0", {"may-wait": lambda: False}
        # None is the case `not-granted`, which carries nothing.
        yield "tinyclaw:plugin/secrets@0.1.0", {"get": {"invite-key": self.key.read_bytes()}.get}
        yield "wasi:config/store@0.2.0-rc.1", {"get": setting, "get-all": lambda: []}
        yield "wasi:logging/logging@0.1.0-draft", {"log": lambda *line: print(*line, file=sys.stderr)}

    def instantiate(self):
        wasi = WasiConfig()
        wasi.preopen_dir(str(self.files), "/")
        self.store = Store(self.linker.engine)
        self.store.set_wasi(wasi)
        self.instance = self.linker.instantiate(self.store, self.component)

    def call(self, interface, name, *given):
        """What the call asks for is carried out when it has returned, and not at all where it trapped."""
        with self.lock:
            try:
                part = self.instance.get_export_index(self.store, f"tinyclaw:plugin/{interface}@0.1.0")
                function = self.instance.get_func(self.store, self.instance.get_export_index(self.store, name, part))
                result = function(self.store, *given)
            except Exception as error:
                print("the plugin is started anew:", error, file=sys.stderr)
                self.effects.clear()
                self.turns.clear()
                self.instantiate()
                self.call("channel", "start")
                raise
            effects, self.effects = self.effects, []
            for effect in effects:
                effect()
            return result

    def handle(self, request, cut):
        """The response, and where it says so the connection that is held from before the next call."""
        with self.lock:
            response = self.call("http", "handle", request)
            if not response.hold:
                return response, None
            self.held.append(held := Held(response.hold.topics, cut))
            return response, held

    def on(self, topic):
        return [held for held in self.held if topic in held.topics]

    def later(self, topic, item):
        self.effects.append(lambda: [held.tell(item) for held in self.on(topic)])
        return len(self.on(topic))

    def enqueue(self, user, message):
        self.turns.add(ticket := next(self.tickets))
        line = self.lines.setdefault(user, ThreadPoolExecutor(1))
        self.effects.append(lambda: line.submit(self.answer, ticket, user, message))
        return Variant("ok", ticket)

    def cancel(self, ticket):
        self.effects.append(lambda: self.turns.discard(ticket))

    def answer(self, ticket, user, message):
        try:
            self.tell(ticket, "started")
            for piece in self.agent(user, message):
                self.tell(ticket, "delta", piece)
            self.tell(ticket, "done")
        except Exception as error:
            self.tell(ticket, "failed", str(error))
        finally:
            self.turns.discard(ticket)

    def tell(self, ticket, event, text=None):
        with self.lock:
            # Given up, or its plugin has been started anew: nobody waits for the rest.
            if ticket in self.turns:
                self.call("channel", "on-agent-event", ticket, Variant(event, text))
