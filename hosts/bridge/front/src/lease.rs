//! One instance at a time: the store has no locks, and hosts that know only `wasi:http` may make as many instances as they
//! like. The plugin's directory has a file while a call runs, and another that names the instance that opened the store last.

use crate::bindings::wasi::clocks::monotonic_clock::subscribe_duration;
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::filesystem::preopens::get_directories;
use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use crate::bindings::wasi::random::random::get_random_u64;

/// Is there while a call runs.
const BUSY: &str = "bridge.busy";
/// Names the instance whose store is open.
const OWNER: &str = "bridge.owner";
/// Seconds after which a call has been given up: its host must have ended it by then.
const MAX_CALL_S: u64 = 60;

/// Nanoseconds between looks at whether a call of another instance has ended, which takes some milliseconds.
const LOOK_AGAIN_NS: u64 = 5_000_000;
/// Nanoseconds after which a request is not kept waiting any longer.
const PATIENCE_NS: u64 = 10_000_000_000;

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotGiven {
    #[error("another instance is in the middle of a call")]
    Busy,
    #[error("another instance has opened the store since")]
    Superseded,
    #[error("the host gives no directory")]
    NoDirectory,
    #[error("{0} could not be used: {1:?}")]
    File(&'static str, ErrorCode),
}

/// The right to use the store until it is dropped.
pub(crate) struct Lease {
    directory: Descriptor,
}

thread_local! {
    static NAME: [u8; 8] = get_random_u64().to_le_bytes();
}

impl Lease {
    /// Takes the lease. `opens` says that this instance opens the store now, and had not opened it before.
    pub(crate) fn take(opens: bool) -> Result<Self, NotGiven> {
        let (directory, _) = get_directories().into_iter().next().ok_or(NotGiven::NoDirectory)?;
        let patience = subscribe_duration(PATIENCE_NS);
        while !create(&directory)? {
            if patience.ready() {
                return Err(NotGiven::Busy);
            }
            if !remove_forgotten(&directory)? {
                subscribe_duration(LOOK_AGAIN_NS).block();
            }
        }
        let lease = Self { directory };
        if opens {
            lease.write_owner().map_err(|error| NotGiven::File(OWNER, error))?;
        } else if !lease.is_owner().map_err(|error| NotGiven::File(OWNER, error))? {
            return Err(NotGiven::Superseded);
        }
        Ok(lease)
    }

    fn is_owner(&self) -> Result<bool, ErrorCode> {
        let file = open(&self.directory, OWNER, OpenFlags::empty(), DescriptorFlags::READ)?;
        let (name, _) = file.read(16, 0)?;
        Ok(NAME.with(|own| name == own))
    }

    fn write_owner(&self) -> Result<(), ErrorCode> {
        let file = open(&self.directory, OWNER, OpenFlags::CREATE, DescriptorFlags::WRITE)?;
        NAME.with(|own| file.write(own, 0))?;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What stays is removed when it is old.
        let _ = self.directory.unlink_file_at(BUSY);
    }
}

fn create(directory: &Descriptor) -> Result<bool, NotGiven> {
    let flags = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    match open(directory, BUSY, flags, DescriptorFlags::WRITE) {
        Ok(_) => Ok(true),
        Err(ErrorCode::Exist) => Ok(false),
        Err(error) => Err(NotGiven::File(BUSY, error)),
    }
}

/// Removes what a call left that never ended, and tells whether there was such. It is moved first, under a name of this
/// instance's: of two who do so, the second may have moved what the first has made since, and puts it back.
fn remove_forgotten(directory: &Descriptor) -> Result<bool, NotGiven> {
    if !is_forgotten(directory, BUSY) {
        return Ok(false);
    }
    let moved = NAME.with(|own| format!("{BUSY}-{:x}", u64::from_le_bytes(*own)));
    if directory.rename_at(BUSY, directory, &moved).is_err() {
        return Ok(false);
    }
    if !is_forgotten(directory, &moved) {
        return directory
            .rename_at(&moved, directory, BUSY)
            .map(|()| false)
            .map_err(|error| NotGiven::File(BUSY, error));
    }
    directory
        .unlink_file_at(&moved)
        .map(|()| true)
        .map_err(|error| NotGiven::File(BUSY, error))
}

fn is_forgotten(directory: &Descriptor, name: &str) -> bool {
    let modified = directory
        .stat_at(PathFlags::empty(), name)
        .ok()
        .and_then(|stat| stat.data_modification_timestamp);
    modified.is_some_and(|modified| modified.seconds.saturating_add(MAX_CALL_S) < wall_clock::now().seconds)
}

fn open(
    directory: &Descriptor,
    name: &str,
    flags: OpenFlags,
    rights: DescriptorFlags,
) -> Result<Descriptor, ErrorCode> {
    directory.open_at(PathFlags::empty(), name, flags, rights)
}
