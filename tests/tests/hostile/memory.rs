//! A plugin that takes memory.

use crate::host::Hostile;

#[test]
pub(crate) fn eats_memory() {
    let host = Hostile::serve("eats_memory", "memory_bytes = \"16 MiB\"");
    assert_eq!(host.text("/8"), (8 << 20).to_string());
    host.assert_fails("/16");
    host.assert_told("memory_bytes");
    // A new instance begins with its own.
    assert_eq!(host.text("/8"), (8 << 20).to_string());
}

#[test]
pub(crate) fn recurses() {
    let host = Hostile::serve("recurses", "");
    assert_eq!(host.text("/100"), "100");
    host.assert_fails("/100000000");
    host.assert_lost("stack");
}
