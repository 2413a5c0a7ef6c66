//! What has been released of the contract stays: `wit/` is held to the newest copy in `wit/frozen/`, item by item, whatever
//! comments and layout say. The same version is the same contract; a later one of the same minor version only adds.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod contract;

use std::fs;
use std::path::Path;

use contract::Contract;
use wit_parser::{PackageName, Stability};

/// Says what of a frozen contract is not kept, and what to do instead.
fn broken(frozen: &Contract, current: &Contract) -> Option<String> {
    let old = frozen.package.version.as_ref().unwrap();
    let new = current.package.version.as_ref().unwrap();
    if new < old {
        return Some(format!("the version is {new}, and {old} is frozen already"));
    }
    if PackageName::version_compat_track(new) != PackageName::version_compat_track(old) {
        return None;
    }
    let mut found = Vec::new();
    for (name, was) in &frozen.items {
        match current.items.get(name) {
            None => found.push(format!("{name} is gone")),
            Some(is) if is.shape != was.shape => {
                found.push(format!("{name} was `{}` and is `{}`", was.shape, is.shape));
            }
            Some(is) if since(&is.stability) != since(&was.stability) => {
                found.push(format!("{name} has another `@since`"));
            }
            Some(is) if old == new && is != was => found.push(format!("{name} has become `@deprecated`")),
            Some(_) => {}
        }
    }
    let added = current
        .items
        .iter()
        .filter(|(name, _)| !frozen.items.contains_key(*name));
    found.extend(added.filter_map(|(name, item)| match &item.stability {
        _ if old == new => Some(format!("{name} is new")),
        Some(Stability::Stable { since, .. }) if since > old => None,
        None => None,
        Some(_) => Some(format!("{name} is new and has no `@since` later than {old}")),
    }));
    let advice = match old == new {
        true => {
            "Raise the version in wit/world.wit, and let what is new be a function, an interface or a type of its own."
        }
        false => "Leave what is frozen as it is; let what is new be a function, an interface or a type of its own.",
    };
    (!found.is_empty()).then(|| format!("{old} is frozen, and {}. {advice}", found.join("; ")))
}

fn since(stability: &Option<Stability>) -> Option<String> {
    match stability {
        Some(Stability::Stable { since, .. }) => Some(since.to_string()),
        _ => None,
    }
}

#[test]
fn the_contract_keeps_what_is_frozen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let dependencies = root.join("deps");
    let copies = fs::read_dir(root.join("frozen")).unwrap();
    let copies = copies.map(|entry| {
        let directory = entry.unwrap().path();
        let copy = Contract::read(&directory, &dependencies);
        let version = copy.package.version.as_ref().unwrap().to_string();
        assert!(directory.ends_with(&version), "{version} is in {}", directory.display());
        copy
    });
    let newest = copies.max_by(|one, other| one.package.cmp(&other.package)).unwrap();
    assert!(newest.items.contains_key("tinyclaw:plugin/channel.start"));
    assert!(newest.items.contains_key("wasi:config/store.get"));
    if let Some(what) = broken(&newest, &Contract::read(&root, &dependencies)) {
        panic!("{what}");
    }
}

const FROZEN: &str = "
    package a:b@0.1.0;
    @since(version = 0.1.0)
    interface door {
        @since(version = 0.1.0)
        record knock { times: u8 }
        @since(version = 0.1.0)
        variant answer { open, shut(string) }
        @since(version = 0.1.0)
        enum side { left, right }
        @since(version = 0.1.0)
        flags made { wood, iron }
        @since(version = 0.1.0)
        knocks: func(knock: knock, at: side) -> result<answer>;
    }
    @since(version = 0.1.0)
    world house { export door; import walls: func() -> u8; }";

/// What is said of the frozen package with parts of it replaced.
fn said_of(replaced: &[(&str, &str)]) -> Option<String> {
    let text = replaced.iter().fold(FROZEN.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    });
    broken(&Contract::parse(FROZEN), &Contract::parse(&text))
}

const LATER: (&str, &str) = ("package a:b@0.1.0", "package a:b@0.1.1");
const NEW_FUNCTION: (&str, &str) = (
    "knocks: func",
    "rings: func();
        @since(version = 0.1.0)
        knocks: func",
);
const NEW_FUNCTION_LATER: (&str, &str) = (
    "@since(version = 0.1.0)
        knocks: func",
    "@since(version = 0.1.1)
        rings: func();
        @since(version = 0.1.0)
        knocks: func",
);

#[test]
fn comments_and_layout_may_change() {
    assert_eq!(said_of(&[]), None);
    assert_eq!(
        said_of(&[("record knock { times: u8 }", "/// How.\n record knock { times: u8, }")]),
        None
    );
}

#[test]
fn what_is_frozen_changes_under_no_version_of_its_kind() {
    for (change, named) in [
        (("times: u8", "times: u8, loud: bool"), "door.knock was"),
        (
            ("times: u8", "times: u16"),
            "door.knock was `record { times: u8 }` and is `record { times: u16 }`",
        ),
        (("open, shut(string)", "open, shut(string), ajar"), "door.answer was"),
        (("open, shut(string)", "open, shut"), "door.answer was"),
        (("left, right", "right, left"), "door.side was"),
        (("wood, iron", "wood, iron, glass"), "door.made was"),
        (("at: side", "on: side"), "door.knocks was"),
        (("result<answer>", "result<answer, string>"), "door.knocks was"),
        (("knocks: func", "knocks: async func"), "door.knocks was"),
        (
            (
                "knocks: func(knock: knock, at: side) -> result<answer>;",
                "type x = u8;",
            ),
            "door.knocks is gone",
        ),
        (("export door; ", ""), "house export a:b/door@0.1 is gone"),
        (("func() -> u8", "func() -> u16"), "house import walls was"),
        (
            ("@since(version = 0.1.0)\n        enum", "enum"),
            "door.side has another `@since`",
        ),
    ] {
        for changes in [vec![change], vec![LATER, change]] {
            let said = said_of(&changes).unwrap_or_else(|| panic!("{change:?} passes"));
            assert!(
                said.starts_with("0.1.0 is frozen, and ") && said.contains(named),
                "{said}"
            );
            assert!(said.contains("let what is new be a function"), "{said}");
        }
    }
}

#[test]
fn the_same_version_takes_nothing_new() {
    let said = said_of(&[NEW_FUNCTION]).unwrap();
    assert!(
        said.contains("door.rings is new. Raise the version in wit/world.wit"),
        "{said}"
    );
    let deprecated = "@since(version = 0.1.0)\n        @deprecated(version = 0.1.0)\n        enum";
    let said = said_of(&[("@since(version = 0.1.0)\n        enum", deprecated)]).unwrap();
    assert!(said.contains("door.side has become `@deprecated`"), "{said}");
}

#[test]
fn a_later_version_takes_what_is_new() {
    let interface = "interface bell { ring: func(); }\n    @since(version = 0.1.0)\n    world house { import bell;";
    let interface = ("world house {", interface);
    let since = (
        "@since(version = 0.1.0)\n    interface bell",
        "@since(version = 0.1.1)\n    interface bell",
    );
    let function_since = ("ring: func", "@since(version = 0.1.1) ring: func");
    assert_eq!(said_of(&[LATER]), None);
    assert_eq!(said_of(&[LATER, NEW_FUNCTION_LATER]), None);
    assert_eq!(said_of(&[LATER, interface, since, function_since]), None);
    let deprecated = "@since(version = 0.1.0)\n        @deprecated(version = 0.1.1)\n        enum";
    assert_eq!(
        said_of(&[LATER, ("@since(version = 0.1.0)\n        enum", deprecated)]),
        None
    );
    let said = said_of(&[LATER, NEW_FUNCTION]).unwrap();
    assert!(
        said.contains("door.rings is new and has no `@since` later than 0.1.0"),
        "{said}"
    );
}

#[test]
fn another_minor_version_is_another_contract() {
    let change = ("times: u8", "times: u16");
    assert_eq!(said_of(&[("package a:b@0.1.0", "package a:b@0.2.0"), change]), None);
    let earlier = FROZEN.replace("0.1.0", "0.0.9");
    let said = broken(&Contract::parse(FROZEN), &Contract::parse(&earlier)).unwrap();
    assert_eq!(said, "the version is 0.0.9, and 0.1.0 is frozen already");
}
