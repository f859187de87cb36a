//! `src/` and `sim/src/` point one way: a room imports only from those before it in the list of its
//! lib.rs, and inside a room no files import from each other in a circle.

mod circles;
#[path = "../house/mod.rs"]
mod house;
mod syntax;

use std::fs;

/// The rooms of a crate, lowest first. The same list stands as a table in its lib.rs.
struct Layers {
    root: &'static str,
    rooms: &'static [&'static str],
}

const SERVER: Layers = Layers {
    root: "src/",
    rooms: &[
        "base", "jute", "metrics", "runtime", "config", "quorum", "storage", "tree", "session",
        "database", "election", "zab", "prepare", "server", "admin", "peer", "otlp", "bench",
        "client", "shell", "toolkit", "backup", "cli",
    ],
};

const LABORATORY: Layers = Layers {
    root: "sim/src/",
    rooms: &[
        "draw",
        "world",
        "grammar",
        "fault",
        "scenario",
        "checkers",
        "workload",
        "recording",
        "run",
        "child",
        "replay",
        "hunt",
        "shrink",
        "export",
        "page",
        "museum",
        "cli",
    ],
};

impl Layers {
    fn rank(&self, room: &str) -> Option<usize> {
        self.rooms.iter().position(|known| *known == room)
    }

    /// The room of a file: the folder, or the file, directly below the root.
    fn room_of<'a>(&self, path: &'a str) -> &'a str {
        let below = path.strip_prefix(self.root).unwrap_or(path);
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    fn files(&self) -> Vec<(String, String)> {
        house::rust_files(&[self.root.trim_end_matches('/')])
    }

    /// Everything that is imported against the order.
    fn upward_imports(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (path, text) in self.files() {
            let room = self.room_of(&path);
            if room == "main" || room == "lib" {
                continue;
            }
            let Some(own) = self.rank(room) else {
                wrong.push(format!("{path}: {room} is no room of {}lib.rs's list", self.root));
                continue;
            };
            for (number, line) in text.lines().enumerate() {
                for import in imports(line) {
                    if self.rank(import).is_none_or(|other| other > own) {
                        wrong.push(format!("{path}:{}: {room} imports {import}", number + 1));
                    }
                }
            }
        }
        wrong
    }

    fn table(&self) -> Vec<String> {
        let lib = house::root().join(self.root).join("lib.rs");
        let lib = fs::read_to_string(lib).expect("lib.rs");
        let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
        rows.map(String::from).collect()
    }
}

/// What stands behind each `crate::` of a line, comments left aside.
fn imports(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or(line);
    let names = code.match_indices("crate::").filter(|(at, _)| {
        // `$crate::` and `mycrate::` are something else.
        !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
    });
    names
        .map(|(at, found)| {
            let rest = &code[at + found.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn a_room_imports_only_from_those_before_it_in_the_list() {
    let wrong = [SERVER, LABORATORY].map(|layers| layers.upward_imports()).concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The load client stands beside the server: what it knows of it is the protocol.
const BENCH_IMPORTS: [&str; 3] = ["base", "jute", "bench"];

#[test]
fn the_load_client_knows_the_protocol_alone_and_only_the_cli_knows_it() {
    let mut wrong = Vec::new();
    for (path, text) in SERVER.files() {
        let room = SERVER.room_of(&path);
        for (number, line) in text.lines().enumerate() {
            for import in imports(line) {
                let good = match room {
                    "bench" => BENCH_IMPORTS.contains(&import),
                    room => import != "bench" || room == "cli",
                };
                if !good {
                    wrong.push(format!("{path}:{}: {room} imports {import}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_in_lib_rs_is_the_list_of_rooms() {
    for layers in [SERVER, LABORATORY] {
        assert_eq!(layers.table(), layers.rooms);
    }
}

#[test]
fn the_files_of_a_room_import_from_each_other_without_a_circle() {
    let mut wrong = Vec::new();
    for layers in [SERVER, LABORATORY] {
        for circle in circles::circles(layers.root, &layers.files()) {
            wrong.push(format!("{} -> {}", circle.join(" -> "), circle[0]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_where_they_stand() {
    assert_eq!(imports("use crate::base::{Now, Zxid};"), ["base"]);
    assert_eq!(imports("    f(crate::zab::x(), crate::tree::y); // crate::cli"), ["zab", "tree"]);
    assert_eq!(imports("$crate::tree::x"), Vec::<&str>::new());
}
