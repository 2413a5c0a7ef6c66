//! The peer that streams are compared with: nginx with nchan, one worker, messages in memory.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::data::workshop;
use crate::meter::Meter;

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// Where Debian has nginx, whether or not that is in the path.
const PROGRAM: &str = "/usr/sbin/nginx";
/// Time between two looks whether it is there, and how many there are.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: usize = 500;

/// nginx that serves channels: `/sub/NAME` is a stream, `/pub/NAME` takes what is to go there.
#[derive(Debug)]
pub(crate) struct Nchan {
    child: Child,
    _directory: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
}

impl Nchan {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("nchan-").tempdir_in(workshop()?)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
        let config = directory.path().join("nginx.conf");
        fs::write(&config, configuration(address))?;
        let child = Command::new(PROGRAM)
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&config)
            .args(["-e", "error.log"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting nginx: `./setup bench` installs it")?;
        let master = child.id().context("nginx ended at once")?;
        let mut looks = 0;
        let processes = loop {
            let workers = children(master)?;
            if !workers.is_empty() && TcpStream::connect(address).await.is_ok() {
                break [vec![master], workers].concat();
            }
            looks += 1;
            ensure!(
                looks < LOOKS,
                "nginx does not serve: {}",
                fs::read_to_string(directory.path().join("error.log"))?
            );
            sleep(LOOK).await;
        };
        Ok(Self {
            child,
            _directory: directory,
            address,
            meter: Meter::new(&processes),
        })
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        // Killed, it would leave its worker behind.
        if let Some(master) = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            let _ = kill_process(master, Signal::TERM);
        }
    }
}

fn children(process: u32) -> anyhow::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    text.split_whitespace().map(|id| Ok(id.parse()?)).collect()
}

fn configuration(address: SocketAddr) -> String {
    format!(
        "daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
load_module {MODULE};
events {{ worker_connections 15000; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    nchan_shared_memory_size 512M;
    server {{
        listen {address} backlog=4096;
        location ~ ^/sub/(\\w+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval 10;
        }}
        location ~ ^/pub/(\\w+)$ {{
            nchan_publisher;
            nchan_channel_id $1;
        }}
    }}
}}
"
    )
}
