//! Components that do the same and are not the same.

use std::fs;
use std::path::{Path, PathBuf};

/// Writes the built-in plugin to a file, marked with a name: to whoever compares bytes it is another component.
pub fn twin(directory: &Path, name: &str) -> PathBuf {
    // A custom section of a component: a zero, the length of the rest, the length of a name, the name.
    let length = u8::try_from(name.len()).unwrap();
    assert!(length < 127, "lengths are written in one byte");
    let mark = [&[0, length + 1, length], name.as_bytes()].concat();
    let file = directory.join(format!("{name}.wasm"));
    fs::write(&file, [host_harness::DEFAULT_PLUGIN, &mark].concat()).unwrap();
    file
}
