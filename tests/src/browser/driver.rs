//! The program that speaks WebDriver for Chromium.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::Process;

/// What the driver says with its port.
const READY: &str = "started successfully on port ";

/// A running driver, which ends with the last browser that uses it.
#[derive(Debug)]
pub(super) struct Driver {
    _process: Process,
    pub(super) address: SocketAddr,
}

impl Driver {
    /// The driver that the tests of this program share.
    pub(super) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Self::start());
            *shared = Arc::downgrade(&driver);
            driver
        })
    }

    fn start() -> Self {
        let mut command = Command::new(installed("chromedriver"));
        command.arg("--port=0");
        let process = Process::start(command);
        let ready = process.stdout.find(|line| line.contains(READY));
        let ready = ready.unwrap_or_else(|| {
            process.stderr.end();
            panic!(
                "chromedriver does not start:\n{}\n{}",
                process.stdout.text(),
                process.stderr.text()
            )
        });
        let (_, port) = ready.split_once(READY).unwrap();
        let port = port.trim_end_matches('.').parse().unwrap();
        Self {
            _process: process,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }
}

/// Where a program lies that these tests cannot do without.
pub(super) fn installed(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|directory| directory.join(program));
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!("{program} is missing: the browser tests need Chromium and its driver (Debian: apt install chromium chromium-driver)")
    })
}
