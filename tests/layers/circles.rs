//! Which file of a room imports from which, and where that goes round in a circle.
//!
//! A name counts for the file that defines it: re-exports are followed. A `pub use` in a file is
//! for others; it counts as that file's own import only if the file uses the name itself.

use std::collections::{BTreeMap, BTreeSet};

use super::syntax::{Import, Module, modules_of};

type Path = Vec<String>;

/// The modules of one crate, by path.
struct Crate {
    modules: BTreeMap<Path, (usize, Module)>,
}

/// Every file that is in a circle, with the shortest one through it, in the order of the imports. A
/// file and its text each, all below `root` (`sim/src/`).
pub(crate) fn circles(root: &str, files: &[(String, String)]) -> Vec<Vec<String>> {
    let imports = imports(root, files);
    imports.keys().filter_map(|file| circle_through(file, &imports)).collect()
}

/// From each file to those of its room that it imports from.
fn imports(root: &str, files: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let of = Crate::new(root, files);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, (file, module)) in &of.modules {
        for target in of.used_by(path, module) {
            let is_of_this_room = path.first().is_some_and(|room| target.0.first() == Some(room));
            if is_of_this_room && target.1 != *file {
                let from = imports.entry(files[*file].0.clone()).or_default();
                from.insert(files[target.1].0.clone());
            }
        }
    }
    imports
}

impl Crate {
    fn new(root: &str, files: &[(String, String)]) -> Crate {
        let mut modules = BTreeMap::new();
        for (n, (file, text)) in files.iter().enumerate() {
            let path = module_path(file.strip_prefix(root).unwrap_or(file));
            for module in modules_of(text) {
                modules.insert([&path[..], &module.inner[..]].concat(), (n, module));
            }
        }
        let tests: Vec<Path> = modules
            .iter()
            .flat_map(|(path, (_, module)): (&Path, &(usize, Module))| {
                let below = |name: &String| [&path[..], std::slice::from_ref(name)].concat();
                module.test_modules.iter().map(below)
            })
            .collect();
        modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
        Crate { modules }
    }

    /// The module and file of everything that a module imports or names by a path.
    fn used_by(&self, from: &Path, module: &Module) -> Vec<(Path, usize)> {
        let is_used = |import: &&Import| !import.public || module.words.contains(&import.name);
        let imported = module.imports.iter().filter(is_used).map(|import| &import.path);
        let named = module.paths.iter();
        imported.chain(named).filter_map(|path| self.item(from, path, 0)).collect()
    }

    /// The module and file in which this path's item is defined; `None` for other crates, and for a
    /// module as a whole.
    fn item(&self, from: &Path, path: &[String], depth: u32) -> Option<(Path, usize)> {
        // Two files that import everything from each other.
        if depth > 10 {
            return None;
        }
        let (mut at, mut rest) = self.start(from, path)?;
        loop {
            let (name, behind) = rest.split_first()?;
            let below = [&at[..], std::slice::from_ref(name)].concat();
            if self.modules.contains_key(&below) {
                (at, rest) = (below, behind);
                continue;
            }
            let (file, module) = self.modules.get(&at)?;
            if !module.items.contains(name) {
                let import = module.imports.iter().find(|import| import.name == *name);
                if let Some(import) =
                    import.filter(|import| import.path.last() != Some(&"*".into()))
                {
                    let whole = [&import.path[..], behind].concat();
                    return self.item(&at, &whole, depth + 1);
                }
                if let Some(found) = self.through_globs(&at, module, name, depth) {
                    return Some(found);
                }
            }
            return Some((at, *file));
        }
    }

    /// What one of the module's `use x::*` brings under this name.
    fn through_globs(
        &self,
        at: &Path,
        module: &Module,
        name: &String,
        depth: u32,
    ) -> Option<(Path, usize)> {
        let globs = module.imports.iter().filter(|import| import.name == "*");
        globs
            .filter_map(|glob| {
                let whole =
                    [&glob.path[..glob.path.len() - 1], std::slice::from_ref(name)].concat();
                self.item(at, &whole, depth + 1)
            })
            .find(|(path, _)| self.modules[path].1.items.contains(name))
    }

    /// The module where a path begins, and what is left of it.
    fn start<'a>(&self, from: &Path, path: &'a [String]) -> Option<(Path, &'a [String])> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some((Vec::new(), rest)),
            "self" => Some((from.clone(), rest)),
            "super" => {
                let (mut at, mut rest) = (from.clone(), path);
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
                Some((at, rest))
            }
            _ => {
                let module = &self.modules.get(from)?.1;
                let below = [&from[..], std::slice::from_ref(first)].concat();
                let is_imported = module.imports.iter().any(|import| import.name == *first);
                // `item` follows the import.
                (self.modules.contains_key(&below) || is_imported && !is_itself(module, path))
                    .then(|| (from.clone(), path))
            }
        }
    }
}

/// `use x::y` for another crate's `x`: not an import that leads anywhere here.
fn is_itself(module: &Module, path: &[String]) -> bool {
    module.imports.iter().any(|import| import.name == path[0] && import.path == path[..1])
}

/// `tree::watch` of `tree/watch.rs`, `tree` of `tree/mod.rs`, nothing of `lib.rs`.
fn module_path(file: &str) -> Path {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" => Vec::new(),
        path => path.split('/').map(String::from).collect(),
    }
}

/// The shortest way from a file back to it.
fn circle_through(
    file: &String,
    imports: &BTreeMap<String, BTreeSet<String>>,
) -> Option<Vec<String>> {
    let mut ways = vec![vec![file.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports.get(way.last()?).into_iter().flatten() {
                if next == file {
                    return Some(way);
                }
                if seen.insert(next) {
                    longer.push([&way[..], std::slice::from_ref(next)].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files: Vec<_> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    circles("src/", &files)
}

#[test]
fn a_circle_is_found_by_whatever_way_a_name_is_reached() {
    let b = ("src/room/b.rs", "use super::A;\npub struct B(A);\n");
    for a in [
        "use super::b::B;\npub struct A(B);\n",
        "use crate::room::B;\npub struct A(B);\n",
        "pub struct A(super::b::B);\n",
        "use super::b;\npub struct A(b::B);\n",
        "use super::b as other;\npub struct A(other::B);\n",
        "use crate::room::{self};\npub struct A(room::B);\n",
    ] {
        let a = ("src/room/a.rs", a);
        let room = ("src/room/mod.rs", "mod a;\nmod b;\npub use a::*;\npub use self::b::B;\n");
        let found = circles_of(&[("src/lib.rs", "pub mod room;"), a, b, room]);
        let (a_b, b_a) = (["src/room/a.rs", "src/room/b.rs"], ["src/room/b.rs", "src/room/a.rs"]);
        assert_eq!(found, [a_b, b_a], "{}", a.1);
    }
}

#[test]
fn what_goes_one_way_is_no_circle() {
    let a = ("src/room/a.rs", "use super::b::B;\npub struct A(B);\n");
    let b = (
        "src/room/b.rs",
        "//! use super::A;\nuse super::c::Deep;\npub struct B(Deep, &'static str);\n\
         #[cfg(test)]\nmod tests { use super::super::A; }\n",
    );
    let c = ("src/room/c/mod.rs", "mod deep;\npub use deep::Deep;\n");
    let deep = ("src/room/c/deep.rs", "pub struct Deep;\n");
    let room = ("src/room/mod.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\npub use b::B;\n");
    assert_eq!(circles_of(&[a, b, c, deep, room]), Vec::<Vec<String>>::new());
}

#[test]
fn what_a_mod_file_uses_itself_closes_a_circle() {
    let a = ("src/room/a.rs", "use super::Top;\npub struct A(Top);\n");
    let text = "mod a;\npub use a::A;\npub struct Top;\n";
    assert_eq!(circles_of(&[a, ("src/room/mod.rs", text)]), Vec::<Vec<String>>::new());
    let uses = format!("{text}fn f() -> A {{ A(Top) }}\n");
    assert_eq!(circles_of(&[a, ("src/room/mod.rs", &uses)]).len(), 2);
}
