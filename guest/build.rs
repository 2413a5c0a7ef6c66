//! Embeds every file of the page, with its type, its entity tag and a gzipped form, so that the component
//! serves them without computing anything.

#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a build stops at the first thing wrong"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

fn main() {
    let page = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's directory")).join("page");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names an output directory"));
    println!("cargo::rerun-if-changed={}", page.display());

    let mut paths: Vec<PathBuf> = fs::read_dir(&page)
        .expect("the page's directory can be read")
        .map(|entry| entry.expect("the page's directory can be read").path())
        .filter(|path| content_type(path).is_some())
        .collect();
    paths.sort();

    let mut table = String::from("[\n");
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("file names of the page are text");
        let content = fs::read(&path).expect("a file of the page can be read");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&content).expect("memory can be written");
        let gzipped = encoder.finish().expect("memory can be written");
        let gzipped_path = out.join(format!("{name}.gz"));
        fs::write(&gzipped_path, &gzipped).expect("the output directory can be written");

        let mut tag = String::new();
        for byte in Sha256::digest(&content).iter().take(8) {
            write!(tag, "{byte:02x}").expect("a string can be written");
        }
        writeln!(
            table,
            "    Asset {{ name: {name:?}, content_type: {:?}, tag: {tag:?}, content: include_bytes!({path:?}), \
             gzipped: include_bytes!({gzipped_path:?}) }},",
            content_type(&path).expect("only files with a type are listed"),
        )
        .expect("a string can be written");
    }
    table.push_str("]\n");
    fs::write(out.join("assets.in"), table).expect("the output directory can be written");
}

fn content_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        _ => return None,
    })
}
