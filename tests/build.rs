//! Demands a test of every hostile plugin: one without does not compile.

use std::path::Path;
use std::{env, fs};

const FIXTURES: &str = "fixtures/src/bin";

fn main() {
    println!("cargo::rerun-if-changed={FIXTURES}");
    let Ok(entries) = fs::read_dir(FIXTURES) else {
        println!("cargo::error=the directory {FIXTURES} is missing");
        return;
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    let list = format!("const _: &[fn()] = &[{}];\n", names.join(", "));
    let file = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("fixtures.rs");
    if let Err(error) = fs::write(&file, list) {
        println!("cargo::error=writing {}: {error}", file.display());
    }
}
