//! Embeds every file of the page, with its type and its entity tag, and gzipped, so that the component computes nothing to serve
//! it to whoever takes that. The page itself and the card are made once for each language. The pixel
//! icons are drawn from the drawn one, and the page names its files by the version of the whole, so that a file never
//! meets one of another build.

#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a build stops at the first thing wrong"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use sha2::{Digest as _, Sha256};

#[path = "build/letters.rs"]
mod letters;

const PAGE: &str = "index.html";
const WORKER: &str = "sw.js";
const MANIFEST: &str = "manifest.webmanifest";
const ICON: &str = "icon.svg";
/// What the icon stands on, where a system cuts its own shape out or paints what is transparent black.
const GROUND: (u8, u8, u8) = (0x57, 0x46, 0xc6);
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
/// What the page and the card say of their language as they lie in the repository.
const ENGLISH: &str = r#"lang="en" dir="ltr""#;

/// Content types and contents by name.
type Files = BTreeMap<String, (&'static str, Vec<u8>)>;

/// A language, as its file in `page/texts` is called and says.
struct Catalogue {
    tag: String,
    json: String,
    texts: BTreeMap<String, String>,
}

fn main() {
    link_small();
    write_letters();
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's directory"));
    let page = root.join("page");
    let card_path = root.join("src/routes/card.html");
    let catalogues = catalogues(&page.join("texts"));
    println!("cargo::rerun-if-changed={}", page.display());
    println!("cargo::rerun-if-changed=build");

    let mut assets = Files::new();
    for path in files(&page) {
        if let Some(content_type) = content_type(&path) {
            assets.insert(
                name_of(&path),
                (content_type, without_comments(content_type, read(&path))),
            );
        }
    }
    for Catalogue { tag, json, .. } in &catalogues {
        let module = format!("import {{ speak }} from \"./texts.js\";\nspeak({});\n", json.trim());
        assets.insert(format!("texts.{tag}.js"), (SCRIPT, module.into_bytes()));
    }
    draw_icons(&mut assets);
    let version = tag(assets
        .iter()
        .flat_map(|(name, (_, content))| [name.as_bytes(), content.as_slice()]));
    let (_, index) = assets.remove(PAGE).expect("there is a page");
    let (index, card) = (as_text(index), as_text(read(&card_path)));
    let index = index.replace("\"assets/", &format!("\"assets/{version}/"));
    tell_worker(&mut assets, &version);
    println!("cargo::rustc-env=PAGE_VERSION={version}");

    let mut table = String::from("[\n");
    for (name, (content_type, content)) in &assets {
        writeln!(table, "{},", asset(name, name, content_type, content)).expect("a string can be written");
    }
    table.push_str("]\n");
    write_out("assets.in", table.as_bytes());

    let mut table = format!("pub(crate) static ALL: [Language; {}] = [\n", catalogues.len());
    for language in &catalogues {
        let tag = &language.tag;
        let page = in_language(&index, language, &catalogues);
        let page = asset(PAGE, &format!("{tag}.html"), HTML, page.as_bytes());
        let card = in_language(&card, language, &catalogues);
        writeln!(
            table,
            "Language {{ tag: {tag:?}, page: {page}, card: {card:?}, unnamed_agent: {:?}, bad_invite: {:?}, \
             too_many_codes: {:?} }},",
            text(language, "agent.unnamed"),
            text(language, "join.invalid"),
            text(language, "join.too-many"),
        )
        .expect("a string can be written");
    }
    let english = catalogues.iter().position(|language| language.tag == "en");
    let english = english.expect("English is there");
    writeln!(table, "];\nstatic ENGLISH: &Language = &ALL[{english}];").expect("a string can be written");
    write_out("languages.in", table.as_bytes());
}

/// Lets the linker write each reference of the component in as few bytes as it needs. What still has debugging information,
/// which holds the places of references, cannot be linked so.
fn link_small() {
    let says = |name: &str, value: &str| env::var(name).is_ok_and(|said| said == value);
    if says("CARGO_CFG_TARGET_FAMILY", "wasm") && says("DEBUG", "false") && says("PROFILE", "release") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}

fn write_letters() {
    let letters = letters::table();
    write_out("letters.in", letters.source.as_bytes());
    write_out("letters.low", &letters.low);
    write_out("letters.high", &letters.high);
}

/// A script or a style without the lines that only people read: a friend on a slow line would wait for them.
fn without_comments(content_type: &str, content: Vec<u8>) -> Vec<u8> {
    let is_comment: fn(&str) -> bool = match content_type {
        SCRIPT => |line| line.starts_with("//"),
        STYLE => |line| line.starts_with("/*") && line.ends_with("*/"),
        _ => return content,
    };
    let content = as_text(content);
    let lines = content.lines().filter(|line| !is_comment(line.trim()));
    lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
}

/// The sizes that Chromium asks for to install, and the one that iOS puts on the home screen.
fn draw_icons(assets: &mut Files) {
    let (_, icon) = assets.get(ICON).expect("the page has an icon");
    let icon = Tree::from_data(icon, &Options::default()).expect("the icon is SVG");
    for (name, side, is_grounded) in [
        ("icon-180.png", 180, true),
        ("icon-192.png", 192, false),
        ("icon-512.png", 512, false),
        ("icon-maskable-512.png", 512, true),
    ] {
        let mut pixels = Pixmap::new(side, side).expect("an icon has pixels");
        if is_grounded {
            let (red, green, blue) = GROUND;
            pixels.fill(Color::from_rgba8(red, green, blue, 0xff));
        }
        let scale = f32::from(u16::try_from(side).expect("an icon is small")) / icon.size().width();
        resvg::render(&icon, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        let drawn = pixels.encode_png().expect("pixels can be encoded");
        assets.insert(name.to_owned(), ("image/png", drawn));
    }
}

/// Tells the service worker which files it keeps: all that every page needs. The page names its language's catalogue.
fn tell_worker(assets: &mut Files, version: &str) {
    let kept: Vec<&str> = assets
        .keys()
        .map(String::as_str)
        .filter(|name| !matches!(*name, WORKER | MANIFEST) && !name.starts_with("texts."))
        .filter(|name| !name.ends_with(".png"))
        .chain(["texts.js"])
        .collect();
    let kept = kept.join(" ");
    let (_, content) = assets.get_mut(WORKER).expect("the page has a worker");
    let mut worker = as_text(std::mem::take(content));
    for (mark, replacement) in [("{version}", version), ("{files}", &kept)] {
        assert!(worker.contains(mark), "{WORKER} has no place for {mark}");
        worker = worker.replace(mark, replacement);
    }
    *content = worker.into_bytes();
}

/// Every language, in the order of their tags.
fn catalogues(directory: &Path) -> Vec<Catalogue> {
    println!("cargo::rerun-if-changed={}", directory.display());
    let read = |path: &PathBuf| {
        let json = as_text(read(path));
        let texts = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tag = name_of(path).trim_end_matches(".json").to_owned();
        Catalogue { tag, json, texts }
    };
    files(directory).iter().map(read).collect()
}

/// A template in a language: with its tag, its direction, its catalogue, and its texts where the template names them.
fn in_language(template: &str, language: &Catalogue, all: &[Catalogue]) -> String {
    let tag = &language.tag;
    let direction = text(language, "language.direction");
    assert!(template.contains(ENGLISH), "{ENGLISH} is missing");
    let mut page = template
        .replace(ENGLISH, &format!("lang=\"{tag}\" dir=\"{direction}\""))
        .replace("texts.en.js", &format!("texts.{tag}.js"));
    let offers: String = all
        .iter()
        .map(|Catalogue { tag, texts, .. }| {
            let name = texts.get("language.name").map_or(tag, |name| name);
            format!("<option value=\"{tag}\" lang=\"{tag}\">{name}</option>")
        })
        .collect();
    page = page.replace("<!--languages-->", &offers);
    while let Some((before, (key, after))) = page
        .split_once("<!--text:")
        .and_then(|(before, rest)| Some((before, rest.split_once("-->")?)))
    {
        page = format!("{before}{}{after}", escaped(text(language, key)));
    }
    page
}

fn text<'a>(language: &'a Catalogue, key: &str) -> &'a str {
    let text = language.texts.get(key);
    text.unwrap_or_else(|| panic!("{} has no {key:?}", language.tag))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// The `Asset` of this content, whose bytes are put into the output directory under the name `file`.
fn asset(name: &str, file: &str, content_type: &str, content: &[u8]) -> String {
    let (form, path) = if content_type == "image/png" {
        ("Plain", write_out(file, content))
    } else {
        ("Gzipped", write_out(&format!("{file}.gz"), &gzipped(content)))
    };
    let tag = tag([content]);
    format!(
        "Asset {{ name: {name:?}, content_type: {content_type:?}, tag: {tag:?}, stored: Stored::{form}(include_bytes!({path:?})) }}"
    )
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

fn tag<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let mut tag = String::new();
    for byte in digest.finalize().iter().take(8) {
        write!(tag, "{byte:02x}").expect("a string can be written");
    }
    tag
}

fn write_out(file: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env::var("OUT_DIR").expect("cargo names an output directory")).join(file);
    fs::write(&path, content).expect("the output directory can be written");
    path
}

/// The files in a directory, in the order of their names.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the page's directories can be read")
        .map(|entry| entry.expect("the page's directories can be read").path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Vec<u8> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read(path).expect("a file of the page can be read")
}

fn as_text(content: Vec<u8>) -> String {
    String::from_utf8(content).expect("pages and catalogues are text")
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    name.expect("file names of the page are text").to_owned()
}

fn content_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "html" => HTML,
        "css" => STYLE,
        "js" => SCRIPT,
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        _ => return None,
    })
}
