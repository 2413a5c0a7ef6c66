//! What a WIT package promises, item by item, in words that know neither comments nor how it is laid out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wit_parser::{
    Function, Interface, PackageName, Resolve, SourceMap, Stability, Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
    UnresolvedPackageGroup, World, WorldItem,
};

/// A package and those that are kept beside it, in `wasi`.
pub(crate) struct Contract {
    pub(crate) package: PackageName,
    /// By name, as in `tinyclaw:plugin/channel.start`.
    pub(crate) items: BTreeMap<String, Item>,
}

#[derive(PartialEq)]
pub(crate) struct Item {
    /// What whoever links with it relies on: fields, cases and parameters with their types, in order.
    pub(crate) shape: String,
    /// None of what a world takes in: that says itself since when it is there.
    pub(crate) stability: Option<Stability>,
}

impl Contract {
    /// Reads the package in a directory and those beside it, with the packages of another that it refers to.
    pub(crate) fn read(directory: &Path, dependencies: &Path) -> Self {
        let mut sources = SourceMap::default();
        for (name, text) in files(directory) {
            sources.push_str(&name, text);
        }
        Self::new(
            parse(sources),
            packages(&directory.join("wasi")),
            packages(dependencies),
        )
    }

    /// Takes a package that refers to no other.
    pub(crate) fn parse(text: &str) -> Self {
        let mut sources = SourceMap::default();
        sources.push_str("inline.wit", text);
        Self::new(parse(sources), Vec::new(), Vec::new())
    }

    fn new(
        group: UnresolvedPackageGroup,
        beside: Vec<UnresolvedPackageGroup>,
        mut dependencies: Vec<UnresolvedPackageGroup>,
    ) -> Self {
        let groups = [&group].into_iter().chain(&beside);
        let names: Vec<PackageName> = groups.map(|group| group.main.name.clone()).collect();
        // Among them are copies of those beside it, as they are now.
        dependencies.retain(|dependency| !names.contains(&dependency.main.name));
        dependencies.extend(beside);
        let mut resolve = Resolve::default();
        resolve.push_groups(group, dependencies).unwrap();
        let mut items = BTreeMap::new();
        for name in &names {
            let package = &resolve.packages[resolve.package_names[name]];
            let path = |item: &str| format!("{}:{}/{item}", name.namespace, name.name);
            for (name, id) in &package.interfaces {
                add_interface(&mut items, &resolve, &path(name), &resolve.interfaces[*id]);
            }
            for (name, id) in &package.worlds {
                add_world(&mut items, &resolve, &path(name), &resolve.worlds[*id]);
            }
        }
        let package = names.into_iter().next().unwrap();
        Self { package, items }
    }
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// A package a file.
fn packages(directory: &Path) -> Vec<UnresolvedPackageGroup> {
    let files = files(directory).into_iter();
    files
        .map(|(name, text)| {
            let mut sources = SourceMap::default();
            sources.push_str(&name, text);
            parse(sources)
        })
        .collect()
}

fn parse(sources: SourceMap) -> UnresolvedPackageGroup {
    let group = sources
        .parse()
        .unwrap_or_else(|(sources, error)| panic!("{}", error.render(&sources)));
    let name = &group.main.name;
    assert!(
        group.nested.is_empty(),
        "`wkg` publishes no package that declares others within itself, as {name} does"
    );
    group
}

fn add_interface(items: &mut BTreeMap<String, Item>, resolve: &Resolve, path: &str, interface: &Interface) {
    let mut add = |path: String, shape: String, stability: &Stability| {
        let stability = Some(stability.clone());
        items.insert(path, Item { shape, stability });
    };
    add(path.to_owned(), "interface".to_owned(), &interface.stability);
    for (name, id) in &interface.types {
        let definition = &resolve.types[*id];
        add(
            format!("{path}.{name}"),
            type_shape(resolve, definition),
            &definition.stability,
        );
    }
    for (name, function) in &interface.functions {
        add(
            format!("{path}.{name}"),
            function_shape(resolve, function),
            &function.stability,
        );
    }
}

fn add_world(items: &mut BTreeMap<String, Item>, resolve: &Resolve, path: &str, world: &World) {
    let stability = Some(world.stability.clone());
    let shape = "world".to_owned();
    items.insert(path.to_owned(), Item { shape, stability });
    let imports = world.imports.iter().map(|item| ("import", item));
    let exports = world.exports.iter().map(|item| ("export", item));
    for (way, (key, item)) in imports.chain(exports) {
        let shape = match item {
            WorldItem::Interface { .. } => "interface".to_owned(),
            WorldItem::Function(function) => function_shape(resolve, function),
            WorldItem::Type { id, .. } => type_shape(resolve, &resolve.types[*id]),
        };
        let path = format!("{path} {way} {}", resolve.name_canonicalized_world_key(key));
        items.insert(path, Item { shape, stability: None });
    }
}

fn function_shape(resolve: &Resolve, function: &Function) -> String {
    let parameters = function.params.iter();
    let parameters = joined(parameters.map(|parameter| with_type(resolve, &parameter.name, Some(&parameter.ty))));
    let result = function.result.as_ref().map(|ty| format!(" -> {}", named(resolve, ty)));
    format!("{:?} func({parameters}){}", function.kind, result.unwrap_or_default())
}

/// What a definition says.
fn type_shape(resolve: &Resolve, definition: &TypeDef) -> String {
    let of = |ty: &Type| named(resolve, ty);
    let or_none = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), of);
    match &definition.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|field| with_type(resolve, &field.name, Some(&field.ty)));
            format!("record {{ {} }}", joined(fields))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases = cases.map(|case| with_type(resolve, &case.name, case.ty.as_ref()));
            format!("variant {{ {} }}", joined(cases))
        }
        TypeDefKind::Enum(one) => format!("enum {{ {} }}", joined(one.cases.iter().map(|case| case.name.clone()))),
        TypeDefKind::Flags(all) => format!("flags {{ {} }}", joined(all.flags.iter().map(|flag| flag.name.clone()))),
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", joined(tuple.types.iter().map(of))),
        TypeDefKind::Option(ty) => format!("option<{}>", of(ty)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", or_none(&result.ok), or_none(&result.err)),
        TypeDefKind::List(ty) => format!("list<{}>", of(ty)),
        TypeDefKind::Type(ty) => format!("type {}", of(ty)),
        other => panic!("the contract has no {}: nothing here compares one", other.as_str()),
    }
}

/// A type as it stands where it is used: its name, or what it says if it has none.
fn named(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return format!("{ty:?}").to_lowercase();
    };
    let definition = &resolve.types[*id];
    match &definition.name {
        Some(name) => format!("{}.{name}", owner(resolve, *id)),
        None => type_shape(resolve, definition),
    }
}

fn owner(resolve: &Resolve, id: TypeId) -> String {
    match resolve.types[id].owner {
        TypeOwner::Interface(id) => resolve.canonicalized_id_of(id).unwrap_or_default(),
        TypeOwner::World(id) => resolve.worlds[id].name.clone(),
        TypeOwner::None => String::new(),
    }
}

fn with_type(resolve: &Resolve, name: &str, ty: Option<&Type>) -> String {
    ty.map_or_else(|| name.to_owned(), |ty| format!("{name}: {}", named(resolve, ty)))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
