//! What a file of shell assigns, without running it: `conf/java.env` and `conf/zookeeper-env.sh`.
//!
//! zkServer.sh runs both files before it starts a server. Here assignments and `export`s are read, with
//! the quotes, escapes and expansions of variables that a shell knows. All else (a command, a
//! condition, a loop, a function) is handed back as text, for a warning.
//!
//! Not here: what the variables hold and mean (`environment.rs`).

use super::error::At;

/// One statement of a file.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Statement {
    /// `NAME=value`, `NAME+=value`, or one of these behind `export`. `at` is where the value begins.
    Assign { name: String, appends: bool, value: Vec<Piece>, at: At },
    /// What takes a shell: the beginning of its text.
    Other { text: String, at: At },
}

/// A piece of a value.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Piece {
    Text(String),
    /// `$NAME`, `${NAME}`, `${NAME:-text}` or `${NAME-text}`: the text stands for a variable that is
    /// empty or not there.
    Variable(String, String),
    /// `$(command)` and what else only a shell can work out, as it stands there.
    Unknown(String),
}

/// These begin what ends at one of [`BLOCK_ENDS`]: whether its inside is run is the shell's matter.
const BLOCKS: [&str; 7] = ["if", "for", "while", "until", "case", "select", "{"];
const BLOCK_ENDS: [&str; 4] = ["fi", "done", "esac", "}"];

/// The statements of a whole file, in order.
pub(super) fn read_statements(text: &str, file: &str) -> Vec<Statement> {
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader { text: &text, file, at: 0 };
    let mut statements = Vec::new();
    while let Some(words) = reader.statement() {
        let Some(first) = words.first() else { continue };
        let start = first.at;
        let mut depth = blocks(&words);
        if depth == 0
            && let Some(assigned) = reader.assignments(words)
        {
            statements.extend(assigned);
            continue;
        }
        while depth > 0 {
            let Some(words) = reader.statement() else { break };
            depth += blocks(&words);
            let ends = words.iter().filter(|word| BLOCK_ENDS.contains(&word.raw.as_str())).count();
            depth = depth.saturating_sub(ends);
        }
        let all = text[start..reader.at].trim_end_matches(['\n', ';', ' ']);
        let mut shown = all.lines().next().unwrap_or_default().trim_end().to_owned();
        if all.contains('\n') {
            shown.push_str(" ...");
        }
        statements.push(Statement::Other { text: shown, at: reader.place(start) });
    }
    statements
}

/// How many blocks begin in a statement.
fn blocks(words: &[Word]) -> usize {
    // What is tested stands behind `then`, `do` and `else` too.
    let begins = |word: &Word| word.is_plain && BLOCKS.contains(&word.raw.as_str());
    let leading = words.iter().take_while(|word| {
        begins(word) || ["then", "do", "else", "elif", "!"].contains(&word.raw.as_str())
    });
    let mut count = leading.filter(|word| begins(word)).count();
    if count == 0 && words.iter().skip(1).any(|word| word.is_plain && word.raw == "{") {
        count = 1;
    }
    count
}

struct Word {
    /// Where it begins, in bytes.
    at: usize,
    raw: String,
    /// The name in front of `=` or `+=`, and whether it is the latter.
    assigns: Option<(String, bool)>,
    /// The word, or what is assigned, with its place.
    pieces: Vec<Piece>,
    value_at: usize,
    /// Without quotes, escapes and expansions.
    is_plain: bool,
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The words up to the next `;` or end of a line; `None` at the end of the file.
    fn statement(&mut self) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None if words.is_empty() => return None,
                None => return Some(words),
                Some(';' | '\n') => {
                    self.at += 1;
                    return Some(words);
                }
                Some('#') => self.skip_while(|c| c != '\n'),
                Some(_) => words.push(self.word()),
            }
        }
    }

    /// What a statement of these words assigns; `None` if it does more or something else.
    fn assignments(&self, words: Vec<Word>) -> Option<Vec<Statement>> {
        let is_export = |word: &Word| word.is_plain && word.raw == "export";
        let exports = words.first().is_some_and(is_export);
        let mut assigned = Vec::new();
        for word in words.into_iter().skip(usize::from(exports)) {
            match word.assigns {
                Some((name, appends)) => assigned.push(Statement::Assign {
                    name,
                    appends,
                    value: word.pieces,
                    at: self.place(word.value_at),
                }),
                None if exports && word.is_plain && is_name(&word.raw) => {}
                None => return None,
            }
        }
        Some(assigned)
    }

    fn word(&mut self) -> Word {
        let at = self.at;
        let rest = &self.text[at..];
        let before = rest.split('=').next().unwrap_or_default();
        let name = before.strip_suffix('+').unwrap_or(before);
        let assigns = (before.len() < rest.len() && is_name(name))
            .then(|| (name.to_owned(), name.len() < before.len()));
        let value_at = if assigns.is_some() { at + before.len() + 1 } else { at };
        let (pieces, len) = pieces_of(&self.text[value_at..]);
        self.at = value_at + len;
        if self.at == at {
            // One of `& | < >`, which no word holds.
            self.at += 1;
        }
        let raw = self.text[at..self.at].to_owned();
        let is_plain = matches!(&pieces[..], [Piece::Text(text)] if *text == raw);
        Word { at, raw, assigns, pieces, value_at, is_plain }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(|c| matches!(c, ' ' | '\t'));
            // A line that goes on in the next one.
            if !self.text[self.at..].starts_with("\\\n") {
                return;
            }
            self.at += 2;
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn place(&self, at: usize) -> At {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        At {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The pieces of one word at the beginning of this text, and its length.
fn pieces_of(text: &str) -> (Vec<Piece>, usize) {
    let mut pieces = Pieces::default();
    let mut at = 0;
    let mut in_double_quotes = false;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        match c {
            '"' => {
                in_double_quotes = !in_double_quotes;
                at += 1;
            }
            '\'' if !in_double_quotes => match rest[1..].find('\'') {
                Some(len) => {
                    pieces.push_text(&rest[1..1 + len]);
                    at += len + 2;
                }
                None => {
                    pieces.0.push(Piece::Unknown(rest.to_owned()));
                    at = text.len();
                }
            },
            '\\' => {
                let escaped = rest[1..].chars().next();
                let stays =
                    in_double_quotes && !matches!(escaped, Some('$' | '`' | '"' | '\\' | '\n'));
                if stays {
                    pieces.push_text("\\");
                } else if let Some(escaped) = escaped.filter(|c| *c != '\n') {
                    pieces.push_text(escaped.encode_utf8(&mut [0; 4]));
                }
                at += 1 + escaped.filter(|_| !stays).map_or(0, char::len_utf8);
            }
            '$' | '`' => {
                let (piece, len) = expansion(rest);
                pieces.push(piece);
                at += len;
            }
            ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' if !in_double_quotes => break,
            _ => {
                pieces.push_text(&rest[..c.len_utf8()]);
                at += c.len_utf8();
            }
        }
    }
    if in_double_quotes {
        pieces.0.push(Piece::Unknown("a quote without an end".into()));
    }
    (pieces.0, at)
}

/// What begins with `$` or a backquote, and its length.
fn expansion(text: &str) -> (Piece, usize) {
    let unknown = |len: usize| (Piece::Unknown(text[..len].to_owned()), len);
    let Some(rest) = text.strip_prefix('$') else {
        return unknown(text[1..].find('`').map_or(text.len(), |end| end + 2));
    };
    let name_len = |text: &str| {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
    };
    match rest.chars().next() {
        Some('{') => {
            let Some(end) = rest.find('}') else { return unknown(text.len()) };
            let inside = &rest[1..end];
            let (name, more) = inside.split_at(name_len(inside));
            let default = more.strip_prefix(":-").or(more.strip_prefix('-'));
            match (is_name(name), default) {
                (true, None) if more.is_empty() => {
                    (Piece::Variable(name.to_owned(), String::new()), end + 2)
                }
                (true, Some(default)) if !default.contains('$') => {
                    let text = default.trim_matches(['"', '\'']).to_owned();
                    (Piece::Variable(name.to_owned(), text), end + 2)
                }
                _ => unknown(end + 2),
            }
        }
        Some('(') => {
            let mut depth = 0;
            for (at, c) in rest.char_indices() {
                depth += i32::from(c == '(') - i32::from(c == ')');
                if depth == 0 {
                    return unknown(at + 2);
                }
            }
            unknown(text.len())
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            let len = name_len(rest);
            (Piece::Variable(rest[..len].to_owned(), String::new()), len + 1)
        }
        Some(c) if c.is_ascii_digit() || "@*#?!-$".contains(c) => unknown(2),
        _ => (Piece::Text("$".into()), 1),
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.push_text(&text),
            piece => self.0.push(piece),
        }
    }

    fn push_text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each statement on a line: `NAME <- pieces`, or `? text` for what takes a shell.
    fn read(text: &str) -> Vec<String> {
        let shown = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(name, default) if default.is_empty() => format!("<{name}>"),
            Piece::Variable(name, default) => format!("<{name} or {default}>"),
            Piece::Unknown(text) => format!("<<{text}>>"),
        };
        let line = |statement: Statement| match statement {
            Statement::Assign { name, appends, value, .. } => {
                let arrow = if appends { "<-+" } else { "<-" };
                format!("{name} {arrow} {}", value.iter().map(shown).collect::<String>())
            }
            Statement::Other { text, at } => format!("? {}: {text}", at.line),
        };
        read_statements(text, "java.env").into_iter().map(line).collect()
    }

    #[test]
    fn assignments_and_exports_are_read_with_quotes_and_escapes() {
        let text = "#!/bin/sh\nA=1\n  export B=two C='a \"b\" $A' # the end\nD=\"x \\\"y\\\" \\z\"; E=a\\ b\n\
            export A B\nF=\nG=one\\\ntwo\nH+=' more'\nI=a\"b c\"'d e'\r\nJ=x#y\n";
        assert_eq!(
            read(text),
            [
                "A <- 1",
                "B <- two",
                "C <- a \"b\" $A",
                "D <- x \"y\" \\z",
                "E <- a b",
                "F <- ",
                "G <- onetwo",
                "H <-+  more",
                "I <- ab cd e",
                "J <- x#y"
            ]
        );
    }

    #[test]
    fn variables_are_expanded_later_and_commands_never() {
        assert_eq!(
            read(
                "A=\"$B -Dx=${C}\"\nD=${E:-1000}m\nF=${G-}\nH=$(id -u $(whoami)).x\nI=`date`\nJ=${K##*/}$1 L=$\n"
            ),
            [
                "A <- <B> -Dx=<C>",
                "D <- <E or 1000>m",
                "F <- <G>",
                "H <- <<$(id -u $(whoami))>>.x",
                "I <- <<`date`>>",
                "J <- <<${K##*/}>><<$1>>",
                "L <- $",
            ]
        );
    }

    #[test]
    fn what_takes_a_shell_is_handed_back() {
        let text = "umask 027\nif [ -f x ]; then\n  export A=1\n  if true; then A=2; fi\nfi\nB=1\n\
            [ -z \"$C\" ] && export C=1\nD=1 command\nf() {\n  E=1\n}\nf\nfor x in 1 2; do A=$x; done\n\
            case $x in a) A=1;; *) A=2;; esac\n. ./more.sh\nF=1 | cat > y\nG='no end\n";
        assert_eq!(
            read(text),
            [
                "? 1: umask 027",
                "? 2: if [ -f x ]; then ...",
                "B <- 1",
                "? 7: [ -z \"$C\" ] && export C=1",
                "? 8: D=1 command",
                "? 9: f() { ...",
                "? 12: f",
                "? 13: for x in 1 2; do A=$x; done",
                "? 14: case $x in a) A=1;; *) A=2;; esac",
                "? 15: . ./more.sh",
                "? 16: F=1 | cat > y",
                "G <- <<'no end\n>>",
            ]
        );
        assert_eq!(read("A=\"no end\n"), ["A <- no end\n<<a quote without an end>>"]);
        assert_eq!(read("if true\nA=1"), ["? 1: if true ..."]);
        assert!(read("").is_empty());
    }

    #[test]
    fn a_block_ends_where_all_that_began_in_it_has_ended() {
        let text = "if a; then\n if b; then c; fi; fi\nA=1\nfor x in 1; do if a; then b; fi; done\nB=1\n\
            f() {\n for x in 1; do\n  a\n done }\nC=1\n";
        let others =
            ["? 1: if a; then ...", "? 4: for x in 1; do if a; then b; fi; done", "? 6: f() { ..."];
        let read = read(text);
        assert_eq!([&read[0], &read[2], &read[4]], others.each_ref());
        assert_eq!([&read[1], &read[3], &read[5]], ["A <- 1", "B <- 1", "C <- 1"]);
    }

    #[test]
    fn what_an_export_and_a_default_may_hold() {
        assert_eq!(
            read("export A-B\nexport A $(b)\nexport -n A"),
            ["? 1: export A-B", "? 2: export A $(b)", "? 3: export -n A"]
        );
        assert_eq!(read("A=\"\\`b\\`\""), ["A <- `b`"]);
        assert_eq!(read("A=${B:-$C}"), ["A <- <<${B:-$C}>>"]);
    }

    #[test]
    fn a_value_knows_its_place() {
        let statements = read_statements("\n  export A=1 B='2'\n", "java.env");
        let places: Vec<_> = statements
            .iter()
            .map(|statement| match statement {
                Statement::Assign { at, .. } | Statement::Other { at, .. } => (at.line, at.column),
            })
            .collect();
        assert_eq!(places, [(2, 12), (2, 16)]);
    }

    proptest::proptest! {
        /// Whatever stands in the file is read or handed back.
        #[test]
        fn any_text_is_read(text in r#"([A-B]=|export |[\PC\n"'$`{}();#\\]|if |fi|\$\{|\$\()*"#) {
            read_statements(&text, "java.env");
        }
    }
}
