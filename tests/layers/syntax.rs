//! What the layer tests read of a source file: its modules, its imports, and the paths in its code.
//!
//! No compiler: comments and literals go, the rest becomes words and signs, and of these only
//! `mod`, `use` and paths count. Everything under `#[cfg(test)]` is left out.

use std::collections::BTreeSet;

/// One `use`, or one leaf of its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// `crate::tree::Tree` as its parts. The last one is `*` where everything is imported.
    pub(crate) path: Vec<String>,
    /// What it is called here.
    pub(crate) name: String,
    pub(crate) public: bool,
}

/// What stands in one module of a file: the file itself, or a `mod x { }` in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    /// Below the file's own module; empty for the file itself.
    pub(crate) inner: Vec<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths of at least two parts, outside of imports.
    pub(crate) paths: Vec<Vec<String>>,
    /// Every word outside of imports.
    pub(crate) words: BTreeSet<String>,
    /// What is defined here.
    pub(crate) items: BTreeSet<String>,
    /// Modules in files of their own that exist for tests alone.
    pub(crate) test_modules: Vec<String>,
}

pub(crate) fn modules_of(text: &str) -> Vec<Module> {
    let tokens = tokens_of(text);
    let mut modules = vec![Module::default()];
    Reader { tokens: &tokens, at: 0 }.module(0, &mut modules);
    modules
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
}

/// Words in front of what an item is called.
const ITEM_WORDS: [&str; 9] =
    ["struct", "enum", "trait", "fn", "type", "const", "static", "union", "macro_rules"];

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    /// Up to the closing brace of module `n`, or the end of the file.
    fn module(&mut self, n: usize, modules: &mut Vec<Module>) {
        let mut depth = 0;
        let mut public = false;
        while self.at < self.tokens.len() {
            match (self.peek(0), self.peek(1)) {
                ("#", "[") if self.is_test_attribute() => {
                    self.at += 7;
                    modules[n].test_modules.extend(self.skip_item());
                    continue;
                }
                ("pub", _) => {
                    public = true;
                    self.at += 1;
                    if self.peek(0) == "(" {
                        self.skip_group();
                    }
                    continue;
                }
                ("use", _) => {
                    self.at += 1;
                    self.import(&[], public, &mut modules[n].imports);
                }
                ("mod", name) if self.peek(2) == "{" => {
                    let inner = [&modules[n].inner[..], &[name.to_owned()]].concat();
                    modules.push(Module { inner, ..Module::default() });
                    self.at += 3;
                    self.module(modules.len() - 1, modules);
                }
                ("}", _) if depth == 0 => {
                    self.at += 1;
                    return;
                }
                ("{" | "}", _) => {
                    depth = if self.peek(0) == "{" { depth + 1 } else { depth - 1 };
                    self.at += 1;
                }
                // A lifetime: `'static` begins no item.
                ("'", _) => self.at += 2,
                (word, _) if is_word(word) => self.path(depth, &mut modules[n]),
                _ => self.at += 1,
            }
            public = false;
        }
    }

    fn is_test_attribute(&self) -> bool {
        let tokens = self.tokens[self.at..].iter().take(7).map(String::as_str);
        tokens.eq(["#", "[", "cfg", "(", "test", ")", "]"])
    }

    /// Behind what an attribute is about. The name of a module in a file of its own comes back.
    fn skip_item(&mut self) -> Option<String> {
        let mut name = None;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "{" => {
                    self.skip_group();
                    return None;
                }
                ";" => break,
                "(" | "[" => self.skip_group(),
                "mod" => {
                    name = Some(self.peek(1).to_owned());
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        name
    }

    /// Behind the bracket that closes the one that opens here.
    fn skip_group(&mut self) {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// One tree of a `use`, behind these parts.
    fn import(&mut self, prefix: &[String], public: bool, imports: &mut Vec<Import>) {
        let mut path = prefix.to_vec();
        loop {
            match self.peek(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.peek(0), "}" | "") {
                        self.import(&path, public, imports);
                        if self.peek(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "::" => self.at += 1,
                "as" => {
                    let name = self.peek(1).to_owned();
                    self.at += 2;
                    imports.push(Import { path, name, public });
                    return;
                }
                // `use a::{self}` is `use a`.
                "self" if !path.is_empty() => self.at += 1,
                word if is_word(word) || word == "*" => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                _ => {
                    let name = path.last().cloned().unwrap_or_default();
                    imports.push(Import { path, name, public });
                    return;
                }
            }
        }
    }

    fn path(&mut self, depth: i32, module: &mut Module) {
        let is_macros_own = self.at > 0 && self.tokens[self.at - 1] == "$";
        let mut path = vec![self.peek(0).to_owned()];
        if ITEM_WORDS.contains(&self.peek(0)) && depth == 0 {
            let name = if self.peek(1) == "!" { self.peek(2) } else { self.peek(1) };
            module.items.insert(name.to_owned());
        }
        self.at += 1;
        while self.peek(0) == "::" && is_word(self.peek(1)) {
            path.push(self.peek(1).to_owned());
            self.at += 2;
        }
        module.words.insert(path[0].clone());
        if path.len() > 1 && !is_macros_own {
            module.paths.push(path);
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words and signs; `::` is one. Comments and literals are left out.
fn tokens_of(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut n = 0;
    while n < chars.len() {
        let c = chars[n];
        n = match c {
            '/' if at(n + 1) == '/' => end_of_line(&chars, n),
            '/' if at(n + 1) == '*' => end_of_comment(&chars, n),
            '"' => end_of_string(&chars, n + 1),
            'r' | 'b' if is_raw_string(&chars, n) => end_of_raw_string(&chars, n),
            // A lifetime has no second quote.
            '\'' if at(n + 1) == '\\' => end_of_char(&chars, n + 3),
            '\'' if at(n + 2) == '\'' => n + 3,
            ':' if at(n + 1) == ':' => {
                tokens.push("::".to_owned());
                n + 2
            }
            c if c.is_alphanumeric() || c == '_' => {
                let word: String =
                    chars[n..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                let end = n + word.chars().count();
                tokens.push(word);
                end
            }
            c if c.is_whitespace() => n + 1,
            c => {
                tokens.push(c.to_string());
                n + 1
            }
        };
    }
    tokens
}

fn end_of_line(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| from + n)
}

fn end_of_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut n = from;
    while n + 1 < chars.len() {
        match (chars[n], chars[n + 1]) {
            ('/', '*') => (depth, n) = (depth + 1, n + 2),
            ('*', '/') => (depth, n) = (depth - 1, n + 2),
            _ => n += 1,
        }
        if depth == 0 {
            return n;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], from: usize) -> usize {
    let mut n = from;
    while n < chars.len() {
        match chars[n] {
            '\\' => n += 2,
            '"' => return n + 1,
            _ => n += 1,
        }
    }
    chars.len()
}

fn end_of_char(chars: &[char], from: usize) -> usize {
    chars[from.min(chars.len())..]
        .iter()
        .position(|c| *c == '\'')
        .map_or(chars.len(), |n| from + n + 1)
}

/// `r"`, `r#"`, `br"`, ... at the beginning of a word.
fn is_raw_string(chars: &[char], from: usize) -> bool {
    let before = from.checked_sub(1).map_or(' ', |n| chars[n]);
    let begin = if chars[from] == 'b' { from + 1 } else { from };
    if before.is_alphanumeric() || before == '_' || chars.get(begin) != Some(&'r') {
        return false;
    }
    let quote = chars[begin + 1..].iter().find(|c| **c != '#');
    quote == Some(&'"')
}

fn end_of_raw_string(chars: &[char], from: usize) -> usize {
    let open = chars[from..].iter().position(|c| *c == '"').map_or(chars.len(), |n| from + n);
    let hashes = chars[from..open].iter().filter(|c| **c == '#').count();
    let mut n = open + 1;
    while n < chars.len() {
        let closing = chars[n] == '"' && chars[n + 1..].iter().take(hashes).all(|c| *c == '#');
        if closing {
            return n + 1 + hashes;
        }
        n += 1;
    }
    chars.len()
}

#[test]
fn imports_and_paths_are_read_and_tests_are_left_out() {
    let text = "//! use crate::a::A;\nuse super::{b::{self, B as C}, d::*};\n\
                pub(crate) use e::F;\nfn g() { let x = 'x'; h::i(\"use z::Z;\", r#\"y::\"#) }\n\
                mod inner { fn f() { super::j::k::<u8>(); } }\n\
                #[cfg(test)]\n#[path = \"t.rs\"]\nmod t;\n#[cfg(test)]\nmod u { use v::V; }\n";
    let modules = modules_of(text);
    let import = |path: &str, name: &str, public: bool| Import {
        path: path.split("::").map(String::from).collect(),
        name: name.into(),
        public,
    };
    let imports = vec![
        import("super::b", "b", false),
        import("super::b::B", "C", false),
        import("super::d::*", "*", false),
        import("e::F", "F", true),
    ];
    assert_eq!(modules[0].imports, imports);
    assert_eq!(modules[0].paths, [["h", "i"]]);
    assert!(modules[0].items.contains("g") && !modules[0].words.contains("z"));
    assert_eq!(modules[0].test_modules, ["t"]);
    assert_eq!(
        (&modules[1].inner[..], &modules[1].paths[0][..]),
        (&["inner".to_owned()][..], &["super", "j", "k"].map(String::from)[..],)
    );
    assert_eq!(modules.len(), 2);
}
