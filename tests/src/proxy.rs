//! nginx in front of the harness, as Debian ships it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use crate::{Process, free_port};

/// A proxy that runs until this is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    upstreams: Vec<u16>,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Proxy {
    /// Starts nginx with its default settings in front of two ports that were free a moment ago, one for it and one for
    /// the harness.
    pub fn start() -> Self {
        Self::start_with("", &[""])
    }

    /// As [`Proxy::start`], in front of as many harnesses as there are paths, as `/anna`; each gets what is asked for below
    /// its path, without the path. The empty one gets the rest.
    pub fn sharing(paths: &[&str]) -> Self {
        Self::start_with("", paths)
    }

    /// As [`Proxy::start`], but it hands over no answer before it is complete or very large, whatever the harness asks.
    pub fn holding() -> Self {
        Self::start_with(
            "proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 1m; proxy_buffers 2 1m;
            proxy_busy_buffers_size 1m;",
            &[""],
        )
    }

    fn start_with(directives: &str, paths: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let upstreams: Vec<u16> = paths.iter().map(|_| free_port()).collect();
        let locations: String = paths.iter().zip(&upstreams).map(location).collect();
        let path = directory.path().display();
        // One process, and no file outside the directory. All else that is said by default is where to listen and where
        // to pass on to.
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr notice;
            events {{}}
            http {{
                access_log off; {directives}
                client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
                uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
                server {{
                    listen 127.0.0.1:{port};
                    {locations}
                }}
            }}"
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        // Where Debian puts it, which is not on every user's path.
        let program = ["/usr/sbin/nginx", "nginx"]
            .into_iter()
            .find(|path| fs::exists(path).unwrap());
        let mut command = Command::new(program.unwrap_or("nginx"));
        command
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(directory.path())
            .args(["-e", "stderr"]);
        let process = Process::start(command);
        // It says so when it listens.
        process.stderr.expect(&["using the", "event method"]);
        Self {
            port,
            upstreams,
            _process: process,
            _directory: directory,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The address in a browser.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The port on which it expects the harness, or the first of them.
    pub fn upstream(&self) -> u16 {
        self.upstreams[0]
    }

    /// The ports on which it expects the harnesses, in the order of their paths.
    pub fn upstreams(&self) -> &[u16] {
        &self.upstreams
    }
}

/// What leads to a harness; a WebSocket needs its two headers, as nginx's documentation has it.
fn location((path, upstream): (&&str, &u16)) -> String {
    format!(
        "location {path}/ {{ proxy_pass http://127.0.0.1:{upstream}/; }}
        location {path}/api/socket {{
            proxy_pass http://127.0.0.1:{upstream}/api/socket;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
        "
    )
}
