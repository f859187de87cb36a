//! The command line of `quorate shell`, which is that of Apache's zkCli.sh.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  quorate shell                                    a prompt, at localhost:2181
  quorate shell -server a:2181,b:2181/app ls /     one command, its paths below /app
  quorate shell --json get -s /app/config          the answer as JSON
  quorate shell < commands.txt                     one command a line
`quorate shell help` lists the commands, `quorate shell help create` explains one; docs/shell.md shows each.
Exit codes: 0 done, 1 the command failed, 2 the command line or a file is wrong, 127 no such command.";

/// What stands behind `shell`: options of Apache's, which have one hyphen, and then a command.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ShellArgs {
    /// [-server HOST:PORT,.../CHROOT] [-timeout MS] [-r] [-waitforconnection]
    /// [-client-configuration FILE] [--json] [COMMAND [WORD...]]
    ///
    /// -server: any of these servers, and the node that is the root of all paths (localhost:2181).
    /// -timeout: of the session, in milliseconds (30000).
    /// -r: a server without a leader will do; it takes no writes.
    /// -waitforconnection: waits for a session, for -timeout at most, and fails without one.
    /// -client-configuration: properties with Apache's names: TLS and SASL.
    /// --json: answers and watch events as JSON, one object a line.
    #[arg(
        value_name = "OPTION|WORD",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        verbatim_doc_comment
    )]
    pub(super) words: Vec<String>,
}

/// The same, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Invocation {
    pub(super) server: String,
    pub(super) timeout_ms: i32,
    pub(super) read_only: bool,
    pub(super) waits: bool,
    pub(super) configuration: Option<PathBuf>,
    pub(super) json: bool,
    /// Nothing: commands come from the terminal, or from standard input.
    pub(super) command: Vec<String>,
}

impl Invocation {
    /// An error says what is wrong, and what to do.
    pub(super) fn of(words: &[String]) -> Result<Invocation, String> {
        let mut invocation = Invocation {
            server: "localhost:2181".into(),
            timeout_ms: 30_000,
            read_only: false,
            waits: false,
            configuration: None,
            json: false,
            command: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value =
                || words.next().cloned().ok_or(format!("{word} needs a value behind it"));
            match word.trim_start_matches('-') {
                _ if !word.starts_with('-') => {
                    invocation.command.push(word.clone());
                    invocation.command.extend(words.by_ref().cloned());
                }
                "server" => invocation.server = value()?,
                "timeout" => {
                    let text = value()?;
                    let millis = text.parse().ok().filter(|millis| *millis > 0);
                    invocation.timeout_ms = millis
                        .ok_or(format!("-timeout {text}: a number of milliseconds is wanted"))?;
                }
                "client-configuration" => invocation.configuration = Some(value()?.into()),
                "r" => invocation.read_only = true,
                "waitforconnection" => invocation.waits = true,
                "json" => invocation.json = true,
                _ => {
                    return Err(format!(
                        "{word} is no option of the shell: those are -server, -timeout, -r, \
                         -waitforconnection, -client-configuration and --json, in front of the command"
                    ));
                }
            }
        }
        Ok(invocation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(line: &str) -> Result<Invocation, String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Invocation::of(&words)
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let read = invocation("-server a:1,b/x -timeout 5 -r --json ls -R /").expect("well-formed");
        assert_eq!((&*read.server, read.timeout_ms), ("a:1,b/x", 5));
        assert!(read.read_only && read.json && !read.waits);
        assert_eq!(read.command, ["ls", "-R", "/"]);
        assert!(invocation("").expect("well-formed").command.is_empty());
    }

    #[test]
    fn mistakes_are_told() {
        for (line, told) in [
            ("-server", "-server needs a value"),
            ("-timeout x ls /", "-timeout x: a number"),
            ("-timeout 0 ls /", "-timeout 0: a number"),
            ("-sever a", "-sever is no option"),
        ] {
            let error = invocation(line).expect_err("refused");
            assert!(error.starts_with(told), "{error}");
        }
    }
}
