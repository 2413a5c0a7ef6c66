//! A plugin and the files of its host.

use std::fs;
use std::os::unix::fs::symlink;

use crate::host::{Hostile, data};

#[test]
pub(crate) fn fills_disk() {
    let host = Hostile::serve("fills_disk", "directory_bytes = \"3 MiB\"\ndirectory_files = 10");
    let filling = host.harness.data().path().join("plugin/filling");
    assert_eq!(host.text("/2"), "2");
    assert_eq!(host.text("/2"), "1");
    assert_eq!(host.text("/1"), "0");
    host.assert_told("directory_bytes");
    assert!(fs::metadata(&filling).unwrap().len() <= 3 << 20);
    assert_eq!(host.text("/length/4"), "Some(StorageFull)");
    assert_eq!(host.text("/length/1"), "None");
    assert_eq!(host.text("/1"), "1", "what is given back can be written again");
    assert_eq!(host.text("/files/8"), "8");
    assert_eq!(host.text("/files/20"), "9");
    host.assert_told("directory_files");
    assert_eq!(
        host.text("/length/1"),
        "None",
        "what is there is opened in a full directory too"
    );
    host.assert_answers();
}

#[test]
pub(crate) fn walks_out() {
    let data = data("");
    let beside = data.path().join("secret");
    fs::write(&beside, "of the owner").unwrap();
    fs::create_dir(data.path().join("plugin")).unwrap();
    symlink(data.path(), data.path().join("plugin/link")).unwrap();
    let host = Hostile::on(&data, "walks_out", &[]);
    assert_eq!(host.text("/walk"), "[]");
    for made in ["made", "moved"] {
        assert!(!data.path().join(made).exists());
    }
    assert_eq!(fs::read_to_string(&beside).unwrap(), "of the owner");
}
