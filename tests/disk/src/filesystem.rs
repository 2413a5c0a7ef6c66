//! The operations of `wasi:filesystem` on the disk. Those that are not here are the standard ones, unseen.

use wasmtime::Result;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, HostDescriptor as _, OpenFlags, PathFlags,
};

use crate::disk::{Disk, Target};
use crate::fault::{Fault, Operation};

/// The interface as Wasmtime names it.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

type File = Resource<Descriptor>;

impl Disk {
    /// Puts this disk in the place of the standard's file system, which must be in the linker. The program's calls may
    /// not be made from inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// When the standard's file system is of another version.
    pub fn add_to_linker<T: WasiView + 'static>(&self, linker: &mut Linker<T>) -> Result<()> {
        linker.allow_shadowing(true);
        let mut types = linker.instance(TYPES)?;

        let disk = self.clone();
        types.func_wrap(
            "[method]descriptor.open-at",
            move |mut store, (directory, path_flags, name, open_flags, flags): (_, _, String, _, _)| {
                told(open(
                    &disk,
                    store.data_mut(),
                    directory,
                    path_flags,
                    name,
                    open_flags,
                    flags,
                ))
            },
        )?;
        let disk = self.clone();
        types.func_wrap(
            "[method]descriptor.stat-at",
            move |mut store, (directory, flags, name)| told(stat_at(&disk, store.data_mut(), directory, flags, name)),
        )?;
        let disk = self.clone();
        types.func_wrap(
            "[method]descriptor.unlink-file-at",
            move |mut store, (directory, name)| told(delete(&disk, store.data_mut(), directory, name)),
        )?;
        let disk = self.clone();
        types.func_wrap(
            "[method]descriptor.rename-at",
            move |mut store, (directory, from, to_directory, to)| {
                told(rename(&disk, store.data_mut(), directory, from, to_directory, to))
            },
        )?;
        let disk = self.clone();
        types.func_wrap("[method]descriptor.read", move |mut store, (file, count, offset)| {
            told(read(&disk, store.data_mut(), file, count, offset))
        })?;
        let disk = self.clone();
        types.func_wrap("[method]descriptor.write", move |mut store, (file, bytes, offset)| {
            told(write(&disk, store.data_mut(), file, bytes, offset))
        })?;
        let disk = self.clone();
        types.func_wrap("[method]descriptor.set-size", move |mut store, (file, size)| {
            told(resize(&disk, store.data_mut(), file, size))
        })?;
        let disk = self.clone();
        types.func_wrap("[method]descriptor.stat", move |mut store, (file,)| {
            told(stat(&disk, store.data_mut(), file))
        })?;
        for name in ["[method]descriptor.sync-data", "[method]descriptor.sync"] {
            let disk = self.clone();
            types.func_wrap(name, move |_, (file,)| told(sync(&disk, &file)))?;
        }
        let disk = self.clone();
        types.resource(
            "descriptor",
            ResourceType::host::<Descriptor>(),
            move |mut store, number| {
                disk.lock().open.remove(&number);
                store.data_mut().filesystem().drop(File::new_own(number))
            },
        )
    }
}

/// A result as a component gets it.
fn told<T>(result: FsResult<T>) -> Result<(std::result::Result<T, ErrorCode>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    },))
}

/// The failure of an operation that is done whole or not at all.
fn refusal(fault: Option<Fault>) -> FsResult<()> {
    match fault {
        Some(Fault::Io | Fault::FailedSync) => Err(ErrorCode::Io.into()),
        Some(Fault::NoSpace) => Err(ErrorCode::InsufficientSpace.into()),
        Some(Fault::Short) | None => Ok(()),
    }
}

fn open<T: WasiView>(
    disk: &Disk,
    data: &mut T,
    directory: File,
    path_flags: PathFlags,
    name: String,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> FsResult<File> {
    let mut disk = disk.lock();
    let mut system = data.filesystem();
    if !disk.watches(&name) {
        let file = system.open_at(directory, path_flags, name, open_flags, flags)?;
        disk.open.insert(file.rep(), None);
        return Ok(file);
    }
    let found = disk.medium.find(&name);
    let makes = open_flags.contains(OpenFlags::CREATE) && found.is_none();
    refusal(disk.meet(Operation::Open { makes }))?;
    let file = system.open_at(directory, path_flags, name.clone(), open_flags, flags)?;
    let id = found.unwrap_or_else(|| disk.medium.make(&name));
    if open_flags.contains(OpenFlags::TRUNCATE) {
        let length = disk.medium.length(id);
        disk.account(length, 0);
        disk.medium.resize(id, 0);
    }
    disk.open.insert(file.rep(), Some(id));
    Ok(file)
}

fn stat_at<T: WasiView>(
    disk: &Disk,
    data: &mut T,
    directory: File,
    flags: PathFlags,
    name: String,
) -> FsResult<DescriptorStat> {
    let mut disk = disk.lock();
    if disk.watches(&name) {
        refusal(disk.meet(Operation::Stat))?;
    }
    data.filesystem().stat_at(directory, flags, name)
}

fn delete<T: WasiView>(disk: &Disk, data: &mut T, directory: File, name: String) -> FsResult<()> {
    let mut disk = disk.lock();
    if disk.watches(&name) {
        refusal(disk.meet(Operation::Delete))?;
        if let Some(id) = disk.medium.find(&name) {
            let length = disk.medium.length(id);
            disk.account(length, 0);
            disk.medium.delete(&name);
        }
    }
    data.filesystem().unlink_file_at(directory, name)
}

fn rename<T: WasiView>(
    disk: &Disk,
    data: &mut T,
    directory: File,
    from: String,
    to_directory: File,
    to: String,
) -> FsResult<()> {
    let mut disk = disk.lock();
    if disk.watches(&from) {
        refusal(disk.meet(Operation::Rename))?;
        disk.medium.rename(&from, &to);
    }
    data.filesystem().rename_at(directory, from, to_directory, to)
}

fn read<T: WasiView>(disk: &Disk, data: &mut T, file: File, count: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
    let mut disk = disk.lock();
    let mut count = count;
    if let Target::Watched(_) = disk.target(file.rep()) {
        let fault = disk.meet(Operation::Read);
        refusal(fault)?;
        if fault == Some(Fault::Short) {
            count = count.div_ceil(2);
        }
    }
    data.filesystem().read(file, count, offset)
}

fn write<T: WasiView>(disk: &Disk, data: &mut T, file: File, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
    let mut disk = disk.lock();
    let Target::Watched(id) = disk.target(file.rep()) else {
        return data.filesystem().write(file, bytes, offset);
    };
    let fault = disk.meet(Operation::Write);
    let asked = match fault {
        Some(_) => bytes.len().div_ceil(2),
        None => bytes.len(),
    };
    let fitting = disk.fitting(id, offset + asked as u64, asked as u64);
    let fitting = usize::try_from(fitting).unwrap();
    if asked > 0 && fitting == 0 {
        return Err(ErrorCode::InsufficientSpace.into());
    }
    let written = data.filesystem().write(file, bytes[..fitting].to_vec(), offset)?;
    let length = disk.medium.length(id);
    disk.medium
        .write(id, offset, &bytes[..usize::try_from(written).unwrap()]);
    let new_length = disk.medium.length(id);
    disk.account(length, new_length);
    refusal(fault)?;
    Ok(written)
}

fn resize<T: WasiView>(disk: &Disk, data: &mut T, file: File, size: u64) -> FsResult<()> {
    let mut disk = disk.lock();
    if let Target::Watched(id) = disk.target(file.rep()) {
        refusal(disk.meet(Operation::Resize))?;
        let length = disk.medium.length(id);
        if disk.fitting(id, size, size) < size {
            return Err(ErrorCode::InsufficientSpace.into());
        }
        disk.account(length, size);
        disk.medium.resize(id, size);
    }
    data.filesystem().set_size(file, size)
}

fn stat<T: WasiView>(disk: &Disk, data: &mut T, file: File) -> FsResult<DescriptorStat> {
    let mut disk = disk.lock();
    if let Target::Watched(_) = disk.target(file.rep()) {
        refusal(disk.meet(Operation::Stat))?;
    }
    data.filesystem().stat(file)
}

/// The directory under the disk is gone after the test, and so never really synced.
fn sync(disk: &Disk, file: &File) -> FsResult<()> {
    let mut disk = disk.lock();
    let target = disk.target(file.rep());
    if matches!(target, Target::Other) {
        return Ok(());
    }
    let fault = disk.meet(Operation::Sync);
    match (target, fault) {
        (Target::Watched(id), None) => disk.medium.sync(id),
        (Target::Watched(id), Some(_)) => disk.medium.lose(id),
        (Target::Directory, None) => disk.medium.sync_names(),
        (Target::Directory, Some(_)) | (Target::Other, _) => {}
    }
    refusal(fault)
}
