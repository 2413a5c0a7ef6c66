//! Syncs of the disk that are made beside the instance's thread: the instance takes other calls meanwhile, and who waits
//! for what was synced waits for the disk only.
//!
//! Within `channel.commit` a plugin's `sync-data` returns before the disk is asked, if it is the last thing that the call
//! does to a file; the host withholds all answers until it is made. Any other change comes after it, as the plugin means
//! it to: the sync is made first, then and there. Only what is added behind the synced bytes of the same file need not
//! wait: a log whose beginning is lost ends there.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::journal::Shipment;

/// The syncs of one instance.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    /// Whether the call in progress may leave its last sync to the host.
    pub(super) may_be_left: bool,
    left: Option<Left>,
    /// What is on its way to other machines.
    shipping: Option<Arc<Making>>,
    /// None may be left any more.
    is_plain: bool,
    /// The file that was written last, and where what was written to it since its last sync ends.
    written: Option<(Arc<File>, u64)>,
    /// Why one failed that the plugin was told of: what the plugin believes to be on the disk is not.
    failure: Option<io::ErrorKind>,
}

#[derive(Debug)]
struct Left {
    file: Arc<File>,
    /// Where the synced bytes end.
    end: u64,
    making: Option<Arc<Making>>,
}

/// A sync that is being made on another thread.
#[derive(Debug, Default)]
pub(super) struct Making {
    made: Mutex<Option<Result<(), io::ErrorKind>>>,
    changed: Condvar,
}

impl Syncs {
    /// What a plugin asks for.
    pub(super) fn sync(&mut self, file: &Arc<File>) -> io::Result<()> {
        let is_left = |left: &Left| left.making.is_none() && Arc::ptr_eq(&left.file, file);
        if self.written.is_none() && self.left.as_ref().is_some_and(is_left) {
            return Ok(());
        }
        self.settle()?;
        let written = self.written.take();
        if !self.may_be_left || self.is_plain {
            return file.sync_data();
        }
        let end = match written {
            Some((written, end)) if Arc::ptr_eq(&written, file) => end,
            _ => file.metadata()?.len(),
        };
        self.left = Some(Left {
            file: Arc::clone(file),
            end,
            making: None,
        });
        Ok(())
    }

    /// What has to be on the disk before bytes are written to a file is there when this returns.
    pub(super) fn before_write(&mut self, file: &Arc<File>, offset: u64, bytes: u64) -> io::Result<()> {
        let is_behind = |left: &Left| Arc::ptr_eq(&left.file, file) && offset >= left.end;
        if !self.left.as_ref().is_none_or(is_behind) {
            self.settle()?;
        }
        let end = offset.saturating_add(bytes);
        match &mut self.written {
            Some((written, last)) if Arc::ptr_eq(written, file) => *last = end.max(*last),
            written => *written = Some((Arc::clone(file), end)),
        }
        Ok(())
    }

    /// All that was synced is on the disk, and where else it is to be, when this returns.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if let Some(left) = self.left.take() {
            let settled = match left.making {
                None => left.file.sync_data(),
                Some(making) => making.wait(),
            };
            self.failure = self.failure.or(settled.err().map(|error| error.kind()));
        }
        if let Some(shipping) = self.shipping.take() {
            let settled = shipping.wait();
            self.failure = self.failure.or(settled.err().map(|error| error.kind()));
        }
        self.check()
    }

    /// No sync is left to the host any more: the plugin writes by streams, whose writes nobody sees here.
    pub(super) fn leave_none(&mut self) -> io::Result<()> {
        self.is_plain = true;
        self.settle()
    }

    /// Begins to make the sync that was left, if one was, which is made only when what goes to other machines has arrived; the
    /// task ends then.
    pub(super) fn begin(&mut self, shipment: Option<Shipment>) -> Option<(Arc<Making>, JoinHandle<()>)> {
        if self.left.is_none() && shipment.is_none() {
            return None;
        }
        let making = Arc::new(Making::default());
        let file = self.left.as_mut().map(|left| {
            left.making = Some(Arc::clone(&making));
            Arc::clone(&left.file)
        });
        let made = Arc::clone(&making);
        let sync = move || file.map_or(Ok(()), |file| file.sync_data());
        let task = match shipment {
            None => tokio::task::spawn_blocking(move || made.finish(sync())),
            Some(shipment) => {
                self.shipping = Some(Arc::clone(&making));
                // On the thread that sends: this one may be waiting for it.
                shipment.runtime().clone().spawn(async move {
                    let (synced, arrived) = tokio::join!(tokio::task::spawn_blocking(sync), shipment.arrived());
                    made.finish(synced.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).and(arrived));
                })
            }
        };
        Some((making, task))
    }

    /// Says whether the plugin believes what is not so.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failure.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl Making {
    /// Waits for it, and keeps the thread.
    pub(super) fn wait(&self) -> io::Result<()> {
        let unmade = |made: &mut Option<_>| made.is_none();
        let made = *self
            .changed
            .wait_while(self.made(), unmade)
            .unwrap_or_else(PoisonError::into_inner);
        made.unwrap_or(Err(io::ErrorKind::Other)).map_err(io::Error::from)
    }

    fn finish(&self, result: io::Result<()>) {
        *self.made() = Some(result.map_err(|error| error.kind()));
        self.changed.notify_all();
    }

    fn made(&self) -> MutexGuard<'_, Option<Result<(), io::ErrorKind>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
