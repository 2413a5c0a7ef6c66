//! A small host with both doors: everything around the component is recorded and nothing else done.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Cache, CacheConfig, Config, Engine, OptLevel, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyIndices};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use bindings::exports::tinyclaw::plugin::channel::Error as ChannelError;
use bindings::tinyclaw::plugin::{agent, commits, http_types, memory, push, secrets, web_push};
use bindings::wasi::logging::logging;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "
            package tests:doors;
            world plugin {
                import tinyclaw:plugin/agent@0.1.0;
                import tinyclaw:plugin/commits@0.1.0;
                import tinyclaw:plugin/memory@0.1.0;
                import tinyclaw:plugin/push@0.1.0;
                import tinyclaw:plugin/secrets@0.1.0;
                import tinyclaw:plugin/web-push@0.1.0;
                import wasi:logging/logging@0.1.0-draft;
                export tinyclaw:plugin/channel@0.1.0;
                export tinyclaw:plugin/tools@0.1.0;
                export tinyclaw:plugin/http@0.1.0;
            }
        ",
        world: "tests:doors/plugin",
        exports: { default: async },
    });
}

/// A request as both doors can take it.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A response of either door.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Sorted.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Only the record door has it.
    pub(super) hold: Option<Hold>,
}

#[derive(Debug)]
pub(super) struct Hold {
    pub(super) mode: &'static str,
    pub(super) topics: Vec<String>,
    pub(super) keep_alive: Option<(String, u32)>,
    pub(super) life_ms: u32,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The component, loaded.
pub(super) struct Host {
    store: Store<State>,
    plugin: bindings::Plugin,
    proxy: Proxy,
    _directory: tempfile::TempDir,
}

impl Host {
    /// An instance that was not started, on a directory of its own.
    pub(super) async fn load() -> Self {
        let mut cache = CacheConfig::new();
        cache.with_directory(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-for-doors"));
        let mut config = Config::new();
        // It is compiled more often than it runs long.
        config
            .cranelift_opt_level(OptLevel::None)
            .cache(Some(Cache::new(cache).unwrap()));
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, host_harness::DEFAULT_PLUGIN).unwrap();

        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| WasiConfig::from(&state.config)).unwrap();
        bindings::Plugin::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).unwrap();

        let directory = tempfile::tempdir().unwrap();
        let mut wasi = WasiCtx::builder();
        wasi.preopened_dir(directory.path(), "/", FsPerms::ReadWrite).unwrap();
        let state = State {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            table: ResourceTable::new(),
            config: WasiConfigVariables::default(),
            enqueued: Vec::new(),
            introduced: Vec::new(),
        };
        let mut store = Store::new(&engine, state);
        let pre = linker.instantiate_pre(&component).unwrap();
        let standard = ProxyIndices::new(&pre).unwrap();
        let record = bindings::PluginIndices::new(&pre).unwrap();
        let instance = pre.instantiate_async(&mut store).await.unwrap();
        let plugin = record.load(&mut store, &instance).unwrap();
        let proxy = standard.load(&mut store, &instance).unwrap();
        Self {
            store,
            plugin,
            proxy,
            _directory: directory,
        }
    }

    pub(super) async fn start(&mut self) {
        self.plugin
            .tinyclaw_plugin_channel()
            .call_start(&mut self.store)
            .await
            .unwrap()
            .unwrap();
    }

    pub(super) async fn start_again_is_refused(&mut self) -> bool {
        let started = self
            .plugin
            .tinyclaw_plugin_channel()
            .call_start(&mut self.store)
            .await
            .unwrap();
        matches!(started, Err(ChannelError::AlreadyStarted))
    }

    pub(super) async fn stop(&mut self) {
        self.plugin
            .tinyclaw_plugin_channel()
            .call_stop(&mut self.store)
            .await
            .unwrap()
            .unwrap();
    }

    pub(super) async fn call_tool(&mut self, name: &str, arguments: &serde_json::Value) -> String {
        let tools = self.plugin.tinyclaw_plugin_tools();
        tools
            .call_call_tool(&mut self.store, name, &arguments.to_string())
            .await
            .unwrap()
            .unwrap()
    }

    /// What was put in the agent's queue, as `USER: MESSAGE`.
    pub(super) fn enqueued(&self) -> &[String] {
        &self.store.data().enqueued
    }

    /// Who was made known to the agent, as `USER: NAME`.
    pub(super) fn introduced(&self) -> &[String] {
        &self.store.data().introduced
    }

    /// Through `tinyclaw:plugin/http`.
    pub(super) async fn record(&mut self, request: &Request) -> Reply {
        let mut headers = vec![("host".to_owned(), b"localhost:3001".to_vec())];
        headers.extend(
            request
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into_bytes())),
        );
        let request = http_types::Request {
            method: request.method.to_owned(),
            target: request.target.clone(),
            headers,
            body: request.body.clone(),
            client: "192.0.2.7".to_owned(),
        };
        let reply = self
            .plugin
            .tinyclaw_plugin_http()
            .call_handle(&mut self.store, &request)
            .await
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let mut headers: Vec<_> = reply
            .headers
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect();
        headers.sort();
        let hold = reply.hold.map(|hold| Hold {
            mode: match hold.mode {
                http_types::HoldMode::Stream => "stream",
                http_types::HoldMode::Response => "response",
            },
            topics: hold.topics,
            keep_alive: hold
                .keep_alive
                .map(|keep_alive| (text(keep_alive.frame), keep_alive.every_ms)),
            life_ms: hold.life_ms,
        });
        Reply {
            status: reply.status,
            headers,
            body: reply.body,
            hold,
        }
    }

    /// Through `wasi:http/incoming-handler`.
    pub(super) async fn standard(&mut self, request: &Request) -> Reply {
        let builder = http::Request::builder()
            .method(request.method)
            .uri(&request.target)
            .header("host", "localhost:3001");
        let builder = request
            .headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(name, value));
        let body = Full::new(Bytes::from(request.body.clone()));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut view = self.store.data_mut().http();
        let incoming = view
            .new_incoming_request(Scheme::Http, builder.body(body).unwrap())
            .unwrap();
        let out = view.new_response_outparam(sender).unwrap();

        let handler = self.proxy.wasi_http_incoming_handler();
        let handling = async { handler.call_handle(&mut self.store, incoming, out).await.unwrap() };
        // The component writes the body while it is read.
        let reading = async {
            let (head, body) = receiver.await.unwrap().unwrap().into_parts();
            (head, body.collect().await.unwrap().to_bytes())
        };
        let ((), (head, body)) = tokio::join!(handling, reading);
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let mut headers: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        headers.sort();
        Reply {
            status: head.status.as_u16(),
            headers,
            body: body.to_vec(),
            hold: None,
        }
    }
}

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoRequests,
    table: ResourceTable,
    config: WasiConfigVariables,
    enqueued: Vec<String>,
    introduced: Vec<String>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

/// The component asks nobody for anything.
struct NoRequests;

type Connection = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _body_sent: Connection,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Connection), Error>> + Send> {
        panic!("the component makes a request");
    }
}

impl agent::Host for State {
    fn enqueue(&mut self, user_id: String, message: String) -> Result<agent::Ticket, agent::Error> {
        self.enqueued.push(format!("{user_id}: {message}"));
        Ok(u64::try_from(self.enqueued.len()).unwrap())
    }

    fn cancel(&mut self, _ticket: agent::Ticket) {}
}

impl commits::Host for State {
    fn may_wait(&mut self) -> bool {
        false
    }
}

impl memory::Host for State {
    fn introduce(&mut self, user_id: String, name: String) -> Result<(), memory::Error> {
        self.introduced.push(format!("{user_id}: {name}"));
        Ok(())
    }

    fn notes(&mut self, _user_id: String) -> Result<Vec<String>, memory::Error> {
        Ok(Vec::new())
    }

    fn forget(&mut self, _user_id: String, _note: String) -> Result<(), memory::Error> {
        Err(memory::Error::UnknownNote)
    }
}

impl push::Host for State {
    fn publish(&mut self, _topic: String, _frame: Vec<u8>) -> Result<u32, push::Error> {
        Ok(0)
    }

    fn listeners(&mut self, _topic: String) -> u32 {
        0
    }

    fn respond(&mut self, _topic: String, _response: http_types::Response) -> Result<u32, push::Error> {
        Ok(0)
    }

    fn close(&mut self, _topic: String, _reason: push::Reason) -> Result<u32, push::Error> {
        Ok(0)
    }
}

impl http_types::Host for State {}

impl secrets::Host for State {
    fn get(&mut self, _name: String) -> Result<Vec<u8>, secrets::Error> {
        Ok(vec![7; 32])
    }
}

impl web_push::Host for State {
    fn public_key(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn check(&mut self, _subscription: web_push::Subscription) -> Result<(), web_push::Error> {
        Err(web_push::Error::Unavailable)
    }

    fn send(&mut self, _subscription: web_push::Subscription, _terms: web_push::Terms) -> Result<(), web_push::Error> {
        Err(web_push::Error::Unavailable)
    }

    fn cancel(&mut self, _endpoint: String) {}
}

impl logging::Host for State {
    fn log(&mut self, _level: logging::Level, _context: String, _message: String) {}
}
