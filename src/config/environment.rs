//! The variables that zkServer.sh takes its settings from, once it has run its two files.
//! (zkEnv.sh, zkServer.sh)
//!
//! `zookeeper-env.sh` and then `java.env` of the configuration directory may change them, and are read,
//! not run (`shell.rs`). What stands in the variables for the JVM is obeyed as Java would: the last
//! `-D` of a name counts.
//!
//! Not here: what the properties mean (`keys.rs`).

use std::collections::BTreeMap;

use super::error::At;
use super::properties::{Entry, read_jvm_flags};
use super::shell::{Piece, Statement, read_statements};

/// Whose `-D` flags a server's JVM gets, the last one last. The first two are read by Java itself.
const JVM_FLAGS: [&str; 4] =
    ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SERVER_JVMFLAGS", "JVMFLAGS"];

/// The same of a client's.
const CLIENT_JVM_FLAGS: [&str; 4] =
    ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLIENT_JVMFLAGS", "JVMFLAGS"];

/// If this has a value, zkServer.sh sets `zookeeper.datadir.autocreate` to false.
const AUTOCREATE_DISABLE: &str = "ZOO_DATADIR_AUTOCREATE_DISABLE";

#[derive(Clone, Default, Debug)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug)]
struct Variable {
    value: String,
    /// Where the value begins.
    at: At,
}

impl Environment {
    /// Of a process.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.set(&name, value);
        }
        environment
    }

    pub fn set(&mut self, name: &str, value: String) {
        let at = At { file: name.to_owned(), line: 1, column: 1 };
        self.variables.insert(name.to_owned(), Variable { value, at });
    }

    /// The value, unless it is empty: zkServer.sh makes no difference.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|v| v.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Obeys the assignments in the text of a file of shell.
    pub fn assign_all(&mut self, file: &str, text: &str) {
        for statement in read_statements(text, file) {
            match statement {
                Statement::Assign { name, appends, value, at } => {
                    let before = if appends { self.get(&name).unwrap_or_default() } else { "" };
                    let value = before.to_owned() + &self.expanded(&value, &name, &at);
                    self.variables.insert(name, Variable { value, at });
                }
                Statement::Other { text, at } => self.warnings.push(format!(
                    "{at}: this takes a shell and has no effect (assignments and exports are read): \
                     {text}"
                )),
            }
        }
    }

    /// What no variable stands for is kept as it is: a flag beside it keeps its value.
    fn expanded(&mut self, pieces: &[Piece], name: &str, at: &At) -> String {
        let mut value = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => value.push_str(text),
                Piece::Variable(name, default) => {
                    value.push_str(self.get(name).unwrap_or(default.as_str()));
                }
                Piece::Unknown(text) => {
                    value.push_str(text);
                    self.warnings.push(format!(
                        "{at}: this takes a shell and stays as it is in the value of {name}: {text}"
                    ));
                }
            }
        }
        value
    }

    /// What was passed over in the files.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The `-Dkey=value` flags of a client's JVM. (zkCli.sh)
    pub(super) fn client_jvm_flags(&self) -> Vec<Entry> {
        self.flags_in(&CLIENT_JVM_FLAGS, Vec::new())
    }

    /// The `-Dkey=value` flags of a server's JVM.
    pub(super) fn jvm_flags(&self) -> Vec<Entry> {
        let mut flags = Vec::new();
        if self.get(AUTOCREATE_DISABLE).is_some() {
            let at = &self.variables[AUTOCREATE_DISABLE].at;
            flags.extend(read_jvm_flags("-Dzookeeper.datadir.autocreate=false", at));
        }
        self.flags_in(&JVM_FLAGS, flags)
    }

    /// Of flags with one name the last, which Java obeys.
    fn flags_in(&self, names: &[&str], mut flags: Vec<Entry>) -> Vec<Entry> {
        for name in names {
            if let Some(Variable { value, at }) = self.variables.get(*name) {
                flags.extend(read_jvm_flags(value, at));
            }
        }
        let is_last = |n: usize| !flags[n + 1..].iter().any(|later| later.key == flags[n].key);
        (0..flags.len()).filter(|n| is_last(*n)).map(|n| flags[n].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    fn flags(environment: &Environment) -> Vec<(String, String)> {
        environment.jvm_flags().into_iter().map(|flag| (flag.key, flag.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn the_last_flag_of_a_name_counts_and_jvmflags_stand_behind_those_of_the_server() {
        let given = environment(&[
            ("JVMFLAGS", "-Da=3"),
            ("SERVER_JVMFLAGS", "-Da=2 -Xmx1g -Db=1 -Db=2"),
            ("JDK_JAVA_OPTIONS", "-Dc=1"),
            ("CLIENT_JVMFLAGS", "-Dd=1"),
        ]);
        assert_eq!(flags(&given), [pair("c", "1"), pair("b", "2"), pair("a", "3")]);
        let by_java = environment(&[("JAVA_TOOL_OPTIONS", "-Da=1"), ("JDK_JAVA_OPTIONS", "-Da=2")]);
        assert_eq!(flags(&by_java), [pair("a", "2")]);
        let disabled = environment(&[("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")]);
        assert_eq!(flags(&disabled), [pair("zookeeper.datadir.autocreate", "false")]);
    }

    #[test]
    fn a_file_changes_what_was_there() {
        let mut given = environment(&[("JVMFLAGS", "-Da=1"), ("ZOO_LOG_DIR", "/old")]);
        given.assign_all(
            "java.env",
            "HEAP=512\nexport JVMFLAGS=\"$JVMFLAGS -Xmx${HEAP}m -Db=${B:-2}\" ZOO_LOG_DIR=\nJVMFLAGS+=' -Dc=3'\n",
        );
        assert_eq!(given.get("JVMFLAGS"), Some("-Da=1 -Xmx512m -Db=2 -Dc=3"));
        assert_eq!(given.get("ZOO_LOG_DIR"), None, "empty is as good as absent");
        assert!(given.warnings().is_empty());
        let flag = given.jvm_flags().remove(0);
        assert_eq!((flag.key_at.file.as_str(), flag.key_at.line), ("java.env", 3));
    }

    #[test]
    fn what_takes_a_shell_is_named_and_what_stands_beside_it_counts() {
        let mut given = environment(&[]);
        let text = "ulimit -n 4096\nexport SERVER_JVMFLAGS=\"-Da=$(hostname -f) -Db=2\"\n";
        given.assign_all("conf/java.env", text);
        assert_eq!(flags(&given), [pair("a", "$(hostname"), pair("b", "2")]);
        let said = given.warnings();
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("conf/java.env:1:1: ") && said[0].ends_with(": ulimit -n 4096")
        );
        assert!(said[1].starts_with("conf/java.env:2:24: "), "{}", said[1]);
        assert!(said[1].ends_with("value of SERVER_JVMFLAGS: $(hostname -f)"), "{}", said[1]);
    }
}
