//! Finds the component that is embedded as the default plugin.

use std::env;
use std::path::{Path, PathBuf};

/// Another component to embed, as a path.
const VARIABLE: &str = "FRIENDS_CHAT_COMPONENT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let component = env::var_os(VARIABLE).map_or_else(built_by_make, PathBuf::from);
    println!("cargo::rerun-if-changed={}", component.display());
    if !component.is_file() {
        println!(
            "cargo::error=the plugin's component is not at {}: run `make build`, or set {VARIABLE}",
            component.display()
        );
        return;
    }
    println!("cargo::rustc-env={VARIABLE}={}", component.display());
}

/// `OUT_DIR` is `<target>/<profile>/build/<package>/out`.
fn built_by_make() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let target = out.ancestors().nth(4).unwrap_or(Path::new("target"));
    target.join("wasm32-wasip2/component/friends_chat.wasm")
}
