//! The users of SASL, from the file that `java.security.auth.login.config` names.
//! (ServerCnxnFactory.getDigestMd5Credentials; the format is that of Java's login configuration)
//!
//! ```text
//! Server {
//!     org.apache.zookeeper.server.auth.DigestLoginModule required
//!     user_bob="secret"
//!     user_alice="other";
//! };
//! ```
//!
//! A file has sections of other programs too: they are read over. Kerberos is refused: a server
//! that took such a file and let nobody in would be worse than one that does not start.

use std::collections::BTreeMap;

use super::{At, ConfigError};

const DIGEST_MODULE: &str = "org.apache.zookeeper.server.auth.DigestLoginModule";
/// An option of this beginning names a user; its value is the password.
const USER: &str = "user_";

/// Java knows no others, and refuses these.
const SINGLE_QUOTE: &str = "a text with blanks or marks stands in double quotes in this format, and a \
    single quote is allowed only inside them";

/// Users and passwords of this section; `None` if the file has no such section, which turns SASL
/// off, as in Apache. The text is that of `file`.
pub(super) fn read_server_section(
    text: &str,
    file: &str,
    section_name: &str,
) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
    read_section(text, file, section_name, |option| option.strip_prefix(USER))
}

/// Who a client is: the options `username` and `password` of its section. `None` without that section.
pub(super) fn read_client_section(
    text: &str,
    file: &str,
    section_name: &str,
) -> Result<Option<(String, String)>, ConfigError> {
    fn known(option: &str) -> Option<&str> {
        ["username", "password"].contains(&option).then_some(option)
    }
    let Some(mut options) = read_section(text, file, section_name, known)? else {
        return Ok(None);
    };
    let whole_file = At { file: file.to_owned(), line: 1, column: 1 };
    let mut option = |name, what| {
        options.remove(name).ok_or(ConfigError::Syntax { at: whole_file.clone(), what })
    };
    let username = option("username", "the section of the client has no username=\"...\"")?;
    let password = option("password", "the section of the client has no password=\"...\"")?;
    Ok(Some((username, password)))
}

/// The options of this section that are kept, each under the name that it is kept under.
fn read_section(
    text: &str,
    file: &str,
    section_name: &str,
    kept: fn(&str) -> Option<&str>,
) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
    let mut tokens = Tokens { text, file, at: 0, kept };
    let mut users = None;
    while let Some(name) = tokens.next()? {
        let is_ours = name.is_word(section_name);
        if is_ours && users.is_some() {
            return Err(tokens.wrong(name.at, "this section stands twice"));
        }
        let found = tokens.section(is_ours)?;
        if is_ours {
            users = Some(found);
        }
    }
    Ok(users)
}

#[derive(Debug)]
struct Token {
    /// Where it begins, in bytes.
    at: usize,
    kind: Kind,
}

#[derive(PartialEq, Eq, Debug)]
enum Kind {
    /// Quoted or not.
    Word(String),
    /// One of `{ } ; =`.
    Mark(char),
}

impl Token {
    fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(&self.kind, Kind::Word(word) if word == wanted)
    }
}

struct Tokens<'a> {
    text: &'a str,
    file: &'a str,
    at: usize,
    /// Which options are kept, and under which name.
    kept: fn(&str) -> Option<&str>,
}

impl Tokens<'_> {
    /// `{ module flag option=value ... ; ... } ;`, of which the users are kept.
    fn section(&mut self, is_ours: bool) -> Result<BTreeMap<String, String>, ConfigError> {
        let mut users = BTreeMap::new();
        self.mark('{', "expected { behind the name of a section")?;
        loop {
            let module = self.wanted("expected a login module, or } at the end of the section")?;
            match module.kind {
                Kind::Mark('}') => break,
                Kind::Word(name) if is_ours => self.check_module(module.at, &name)?,
                Kind::Word(_) => {}
                Kind::Mark(_) => return Err(self.wrong(module.at, "expected a login module")),
            }
            let flag = self.wanted("expected required, requisite, sufficient or optional")?;
            let known = ["required", "requisite", "sufficient", "optional"];
            if !matches!(&flag.kind, Kind::Word(w) if known.contains(&&*w.to_ascii_lowercase())) {
                let what = "expected required, requisite, sufficient or optional";
                return Err(self.wrong(flag.at, what));
            }
            self.options(is_ours, &mut users)?;
        }
        self.mark(';', "expected ; behind the } of a section")?;
        Ok(users)
    }

    fn check_module(&self, at: usize, name: &str) -> Result<(), ConfigError> {
        if name == DIGEST_MODULE {
            return Ok(());
        }
        let what = if name.ends_with("Krb5LoginModule") {
            "Kerberos (GSSAPI) is not supported: clients can use DIGEST-MD5, with \
             org.apache.zookeeper.server.auth.DigestLoginModule here, or certificates"
        } else {
            "expected org.apache.zookeeper.server.auth.DigestLoginModule: \
             login modules are Java classes, and this is the one that is built in"
        };
        Err(self.wrong(at, what))
    }

    /// `option=value` until the semicolon.
    fn options(
        &mut self,
        is_ours: bool,
        users: &mut BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        loop {
            let option = self.wanted("expected an option, or ; at the end of the module")?;
            let Kind::Word(name) = option.kind else {
                if option.is(';') {
                    return Ok(());
                }
                return Err(self.wrong(option.at, "expected ; at the end of the module"));
            };
            self.mark('=', "expected = behind the name of an option")?;
            let value = self.wanted("expected the value of an option")?;
            let Kind::Word(text) = value.kind else {
                return Err(self.wrong(value.at, "expected the value of an option"));
            };
            let Some(user) = (self.kept)(&name).filter(|_| is_ours) else { continue };
            if text.contains("${") {
                let what = "system properties are not put into passwords: write it out";
                return Err(self.wrong(value.at, what));
            }
            users.insert(user.to_owned(), text);
        }
    }

    fn mark(&mut self, mark: char, what: &'static str) -> Result<(), ConfigError> {
        let token = self.wanted(what)?;
        if token.is(mark) { Ok(()) } else { Err(self.wrong(token.at, what)) }
    }

    /// The next token; `what` is missing if there is none.
    fn wanted(&mut self, what: &'static str) -> Result<Token, ConfigError> {
        self.next()?.ok_or_else(|| self.wrong(self.text.len(), what))
    }

    fn next(&mut self) -> Result<Option<Token>, ConfigError> {
        self.skip_space_and_comments()?;
        let at = self.at;
        let rest = &self.text[at..];
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let kind = match first {
            '{' | '}' | ';' | '=' => {
                self.at += 1;
                Kind::Mark(first)
            }
            '"' => Kind::Word(self.quoted()?),
            '\'' => return Err(self.wrong(at, SINGLE_QUOTE)),
            _ => {
                let ends =
                    |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '=' | '"' | '\'');
                let end = rest.find(ends).unwrap_or(rest.len());
                self.at += end;
                Kind::Word(rest[..end].to_owned())
            }
        };
        Ok(Some(Token { at, kind }))
    }

    fn skip_space_and_comments(&mut self) -> Result<(), ConfigError> {
        loop {
            let rest = self.text[self.at..].trim_start();
            self.at = self.text.len() - rest.len();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest.find("*/");
                self.at += end.ok_or_else(|| self.wrong(self.at, "this comment has no end"))? + 2;
            } else {
                return Ok(());
            }
        }
    }

    /// With Java's escapes; a line break inside is an error there too.
    fn quoted(&mut self) -> Result<String, ConfigError> {
        let begin = self.at;
        let mut word = String::new();
        let mut chars = self.text[begin + 1..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = begin + 1 + at + 1;
                    return Ok(word);
                }
                '\n' | '\r' => break,
                '\\' => {
                    let Some((_, escaped)) = chars.next() else { break };
                    word.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'f' => '\u{c}',
                        'b' => '\u{8}',
                        'a' => '\u{7}',
                        'v' => '\u{b}',
                        '0'..='7' => {
                            let mut code = escaped.to_digit(8).unwrap_or(0);
                            // At most three digits, the first of which is 3 or less.
                            let more = if escaped <= '3' { 2 } else { 1 };
                            for _ in 0..more {
                                let next = chars.peek().and_then(|(_, c)| c.to_digit(8));
                                let Some(digit) = next else { break };
                                code = code * 8 + digit;
                                chars.next();
                            }
                            char::from_u32(code).unwrap_or('\u{fffd}')
                        }
                        other => other,
                    });
                }
                _ => word.push(c),
            }
        }
        Err(self.wrong(begin, "this quoted text has no end in its line"))
    }

    fn wrong(&self, at: usize, what: &'static str) -> ConfigError {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let at = At {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        };
        ConfigError::Syntax { at, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_of_a_client_says_who_it_is() {
        let text = "Server { M required user_x=\"y\"; };\nClient {\n  \
                    org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
                    username=\"bob\" password=\"a;b\";\n};";
        let read = |section| read_client_section(text, "jaas.conf", section);
        let bob = Some(("bob".to_owned(), "a;b".to_owned()));
        assert_eq!(read("Client").expect("well-formed"), bob);
        assert_eq!(read("Other").expect("well-formed"), None);
        let nobody = text.replace("password", "pass");
        let error = read_client_section(&nobody, "jaas.conf", "Client").expect_err("refused");
        assert!(error.to_string().contains("has no password"), "{error}");
    }

    fn users(text: &str) -> Option<BTreeMap<String, String>> {
        read_server_section(text, "jaas.conf", "Server").unwrap_or_else(|e| panic!("{e}"))
    }

    fn error(text: &str) -> String {
        match read_server_section(text, "jaas.conf", "Server") {
            Ok(users) => panic!("read as {users:?}"),
            Err(error) => error.to_string(),
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        Some(pairs.iter().map(|(u, p)| ((*u).to_owned(), (*p).to_owned())).collect())
    }

    #[test]
    fn the_section_of_the_server_names_users_and_passwords() {
        let text = "// ours\nServer {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
            user_bob=\"pw\" /* old\n one */ user_alice=\"a \\\"b\\\" \\101;}\"\n  debug=true\n  user_carol=plain;\n};\n\
            Client {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  username=\"bob\"\n  password=\"${x}\";\n};\n";
        assert_eq!(
            users(text),
            pairs(&[("alice", "a \"b\" A;}"), ("bob", "pw"), ("carol", "plain")])
        );
    }

    #[test]
    fn lines_may_end_as_on_other_systems_and_sections_of_others_are_read_over() {
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
        let text = format!(
            "Client {{\n  {module} required\n  username=\"o'neil\"\n  password=\"x\";\n}};\n\
             Server {{\n  {module} required // ours\n  user_bob=\"it's\";\n}};\n\
             QuorumServer {{\n  {module} required user_q=\"z\";\n}};\n"
        );
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            assert_eq!(users(&text), pairs(&[("bob", "it's")]));
        }
    }

    #[test]
    fn several_modules_of_a_section_add_up() {
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
        let text = format!(
            "Server{{{module} OPTIONAL user_a=\"1\" user_b=\"2\";{module} required user_b=\"3\";}};"
        );
        assert_eq!(users(&text), pairs(&[("a", "1"), ("b", "3")]));
    }

    #[test]
    fn without_the_section_there_is_no_sasl_and_without_users_nobody_gets_in() {
        assert_eq!(users(""), None);
        assert_eq!(
            users("QuorumServer { com.sun.security.auth.module.Krb5LoginModule required x=y; };"),
            None
        );
        let empty = "Server { org.apache.zookeeper.server.auth.DigestLoginModule required; };";
        assert_eq!(users(empty), pairs(&[]));
    }

    #[test]
    fn the_name_of_the_section_is_a_setting() {
        let text = "\"My Server\" { org.apache.zookeeper.server.auth.DigestLoginModule required user_a=b; };";
        assert_eq!(users(text), None);
        let found = read_server_section(text, "jaas.conf", "My Server");
        assert_eq!(found.ok().flatten(), pairs(&[("a", "b")]));
    }

    #[test]
    fn kerberos_is_refused_in_words() {
        let said = error(
            "Server {\n  com.sun.security.auth.module.Krb5LoginModule required\n  useKeyTab=true;\n};",
        );
        assert!(said.starts_with("jaas.conf:2:3: Kerberos (GSSAPI) is not supported"), "{said}");
        assert!(error("Server { com.example.Mine required; };").contains("DigestLoginModule"));
    }

    #[test]
    fn an_error_names_its_place() {
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
        for (text, wanted) in [
            ("Server".to_owned(), "jaas.conf:1:7: expected {"),
            (format!("Server {{ {module} needed; }};"), ": expected required"),
            (format!("Server {{ {module} required user_a \"x\"; }};"), ": expected = behind"),
            (format!("Server {{ {module} required user_a=;"), ": expected the value"),
            (format!("Server {{ {module} required user_a=\"x\n\"; }};"), "has no end in its line"),
            (format!("Server {{ {module} required user_a=\"x\\"), "has no end in its line"),
            (
                format!("Server {{ {module} required user_a=x }};"),
                "expected ; at the end of the mod",
            ),
            (format!("Server {{ {module} required; }}"), "expected ; behind the }"),
            (format!("Server {{ {module} required;"), "expected a login module"),
            (
                format!("Server {{\r\n {module} required\r\n  user_a='x';\r\n}};\r\n"),
                "jaas.conf:3:10: a text with blanks or marks stands in double quotes",
            ),
            (format!("Server {{ {module} required user_a=it's; }};"), "in double quotes"),
            ("\n\n /* x".to_owned(), "jaas.conf:3:2: this comment has no end"),
            (format!("Server {{ {module} required user_a=\"${{pw}}\"; }};"), "system properties"),
            (
                format!(
                    "S {{ x required; }}; Server {{ {module} required; }};Server {{ {module} required; }};"
                ),
                "stands twice",
            ),
        ] {
            let said = error(&text);
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
