//! What was published of late, in a file of the plugin's directory: the next instance goes on with the same ids, and those who
//! listen do not notice. Nothing of it is worth waiting for the disk: what is lost makes them come back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::wasi::filesystem::preopens::get_directories;
use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use crate::recent::Change;

const FILE: &str = "bridge.recent";
/// Bytes at which the file is begun anew: read by each instance, written by few.
pub(crate) const MAX_BYTES: u64 = 256 * 1024;

/// Where changes are written.
pub(crate) struct Journal {
    file: Descriptor,
    length: u64,
}

impl Journal {
    /// Opens the file and gives the changes in it. What cannot be read ends them.
    pub(crate) fn open<R: DeserializeOwned>() -> Result<(Self, Vec<Change<R>>), ErrorCode> {
        let (directory, _) = get_directories().into_iter().next().ok_or(ErrorCode::NoEntry)?;
        let rights = DescriptorFlags::READ | DescriptorFlags::WRITE;
        let file = directory.open_at(PathFlags::empty(), FILE, OpenFlags::CREATE, rights)?;
        let mut bytes = Vec::new();
        loop {
            let (part, is_end) = file.read(MAX_BYTES, bytes.len() as u64)?;
            bytes.extend_from_slice(&part);
            if is_end || part.is_empty() {
                break;
            }
        }
        let lines = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .take_while(|line| line.ends_with(b"\n"));
        let mut changes = Vec::new();
        let mut length = 0;
        for line in lines {
            let Ok(change) = serde_json::from_slice(line) else {
                break;
            };
            changes.push(change);
            length += line.len() as u64;
        }
        Ok((Self { file, length }, changes))
    }

    /// Whether it is time to begin anew.
    pub(crate) fn is_long(&self) -> bool {
        self.length > MAX_BYTES
    }

    /// Begins anew, with these changes alone.
    pub(crate) fn rewrite<R: Serialize>(&mut self, changes: &[Change<R>]) -> Result<(), ErrorCode> {
        self.length = 0;
        self.file.set_size(0)?;
        self.append(changes)
    }

    /// Adds changes.
    pub(crate) fn append<R: Serialize>(&mut self, changes: &[Change<R>]) -> Result<(), ErrorCode> {
        let mut bytes = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut bytes, change).map_err(|_| ErrorCode::Invalid)?;
            bytes.push(b'\n');
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let written = self.file.write(rest, self.length)?;
            self.length += written;
            rest = rest
                .get(usize::try_from(written).unwrap_or(usize::MAX)..)
                .unwrap_or_default();
        }
        Ok(())
    }
}
