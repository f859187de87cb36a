//! edit: the data of a node in an editor.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command as Program};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use tokio::sync::oneshot;

use super::command::{Call, Command, about};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use crate::base::paths;
use crate::client::Failure;
use crate::jute::client::code;

/// Of a line of base64 or hex.
const LINE_BYTES: usize = 48;
/// Names of files that are tried.
const FILES_MAX: u32 = 1000;

pub(super) const COMMANDS: &[Command] = &[Command::ask(
    "edit",
    "[-b|-x] [-from file] path",
    "Opens the data of a node in $VISUAL, $EDITOR or vi, and writes it if nobody else did meanwhile.",
    |call| Box::pin(edit(call)),
)
.options(&[
    Opt::flag("b", "as base64"),
    Opt::flag("x", "as hex"),
    Opt::value("from", "begins with the text of a file, as one that edit has left"),
])
.words_min(1)
.uninterrupted()];

/// How data stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Text,
    Base64,
    Hex,
}

impl Form {
    fn of(call: &Call) -> Result<Form, Refused> {
        match (call.given.has("b"), call.given.has("x")) {
            (true, true) => Err(Refused::new("-b and -x do not go together: give one of them")),
            (true, false) => Ok(Form::Base64),
            (false, true) => Ok(Form::Hex),
            (false, false) => Ok(Form::Text),
        }
    }

    /// `None`: it is no text.
    fn encode(self, data: &[u8]) -> Option<String> {
        let lines = |line: fn(&[u8]) -> String| {
            data.chunks(LINE_BYTES).map(line).map(|line| line + "\n").collect()
        };
        match self {
            Form::Text => str::from_utf8(data).ok().filter(|text| is_text(text)).map(String::from),
            Form::Base64 => Some(lines(|bytes| BASE64.encode(bytes))),
            Form::Hex => Some(lines(|bytes| {
                let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                hex.join(" ")
            })),
        }
    }

    fn decode(self, text: &[u8]) -> Result<Vec<u8>, String> {
        let dense: Vec<u8> =
            text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        match self {
            Form::Text => Ok(text.to_vec()),
            Form::Base64 => {
                BASE64.decode(dense).map_err(|error| format!("it is no base64: {error}"))
            }
            Form::Hex => {
                let digit = |byte: u8| char::from(byte).to_digit(16).ok_or("it is no hex");
                let byte = |pair: &[u8]| match pair {
                    [high, low] => Ok((digit(*high)? << 4 | digit(*low)?) as u8),
                    _ => Err("it is no hex: a digit is missing at the end"),
                };
                dense.chunks(2).map(byte).collect::<Result<_, _>>().map_err(String::from)
            }
        }
    }
}

fn is_text(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
}

/// Editors end the last line of a file; data that had no such end does not get one.
fn without_added_end(before: &[u8], mut after: Vec<u8>) -> Vec<u8> {
    if !before.ends_with(b"\n") && after.ends_with(b"\n") {
        after.pop();
    }
    after
}

async fn edit(call: Call) -> Result<(), Refused> {
    let path = call.path()?;
    let form = Form::of(&call)?;
    let (data, stat) = call.client.get_data(&path, false).await.map_err(about(&path))?;
    let before = data.as_deref().unwrap_or_default();
    let from = call.given.value("from").map(|file| {
        fs::read(file)
            .map_err(|error| Refused { exit_code: 2, ..Refused::new(format!("{file}: {error}")) })
    });
    let content = match from.transpose()? {
        Some(content) => content,
        None => form.encode(before).map(String::into_bytes).ok_or_else(|| {
            let shown = text::shown(&path);
            Refused::new(format!("The data of {shown} is no text"))
                .with_hint("edit -b shows it as base64, edit -x as hex")
        })?,
    };
    let file = write_file(&path, &content)?;
    let shown = file.display().to_string();
    let kept =
        |why: String| Refused::new(format!("{why}. Nothing was written; your text is in {shown}"));
    open_editor(&file).await.map_err(kept)?;
    let edited = fs::read(&file).map_err(|error| Refused::new(format!("{shown}: {error}")))?;
    let again = format!(
        "edit{} -from {shown} {}",
        match form {
            Form::Text => "",
            Form::Base64 => " -b",
            Form::Hex => " -x",
        },
        text::shown(&path)
    );
    let after = form
        .decode(&edited)
        .map_err(|why| kept(why).with_hint(format!("{again} goes on with it")))?;
    let after = if form == Form::Text { without_added_end(before, after) } else { after };
    if after == before {
        // It has nothing that the node has not.
        let _ = fs::remove_file(&file);
        call.print.line("Nothing was changed, and nothing was written");
        call.print.answer(|| json!({ "path": path, "written": false }));
        return Ok(());
    }
    match call.client.set_data(&path, Some(after.into()), stat.version).await {
        Ok(stat) => {
            let _ = fs::remove_file(&file);
            call.print.line(&format!("Written; the version is now {}", stat.version));
            call.print.answer(
                || json!({ "path": path, "written": true, "stat": text::stat_json(&stat) }),
            );
            Ok(())
        }
        Err(failure) => Err(not_written(failure, &path, stat.version, &shown, &again)),
    }
}

/// `again`: the command that goes on with the file.
fn not_written(failure: Failure, path: &str, version: i32, file: &str, again: &str) -> Refused {
    let (code, was_sent) = (failure.code, failure.was_sent);
    let told = Refused::of(failure, Some(path));
    let why = match code {
        code::BAD_VERSION => {
            let path = text::shown(path);
            format!("{path} was changed meanwhile: version {version} is not there any more")
        }
        _ => told.text.clone(),
    };
    let fate = if was_sent { "Whether it was written is not known" } else { "Nothing was written" };
    let text = format!("{why}. {fate}; your text is in {file}");
    let path = text::shown(path);
    let hint = format!("get -s {path} shows what stands there now; {again} goes on with your text");
    Refused { text, ..told }.with_hint(hint)
}

/// A new file that only its owner may read.
fn write_file(path: &str, content: &[u8]) -> Result<PathBuf, Refused> {
    let name = paths::split(path).map_or("", |(_, name)| name);
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = name.chars().take(60).map(plain).collect();
    let (dir, process) = (env::temp_dir(), process::id());
    let failed = |error: std::io::Error| {
        let text = format!("No file can be made in {}: {error}", env::temp_dir().display());
        Refused { exit_code: 2, ..Refused::new(text) }.with_hint("TMPDIR names another directory")
    };
    for n in 0..FILES_MAX {
        let file = dir.join(format!("quorate-edit-{process}-{n}-{name}"));
        let mut opened =
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                opened => opened.map_err(failed)?,
            };
        opened.write_all(content).map_err(failed)?;
        return Ok(file);
    }
    Err(failed(std::io::ErrorKind::AlreadyExists.into()))
}

/// In a thread of its own: the session goes on meanwhile.
async fn open_editor(file: &Path) -> Result<(), String> {
    let named = |variable| env::var(variable).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let file = file.to_owned();
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        // With its arguments, as a shell takes them.
        let script = format!("{editor} \"$1\"");
        let ended = Program::new("/bin/sh").args(["-c", &script, "sh"]).arg(&file).status();
        let _ = tell.send(match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("The editor ({editor}) ended with {status}")),
            Err(error) => Err(format!("The editor ({editor}) does not begin: {error}")),
        });
    });
    told.await.unwrap_or_else(|_| Err("The editor ended without a word".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_comes_back_as_it_was() {
        let data: Vec<u8> = (0..=255).collect();
        for form in [Form::Base64, Form::Hex] {
            for data in [&data[..], b"", b"x"] {
                let text = form.encode(data).expect("any bytes");
                assert_eq!(form.decode(text.as_bytes()).as_deref(), Ok(data));
            }
        }
        assert_eq!(Form::Text.encode(b"\xff"), None);
        assert_eq!(Form::Text.encode(b"a\x00"), None);
        assert_eq!(Form::Text.encode("\u{fc}\t\r\n".as_bytes()).as_deref(), Some("\u{fc}\t\r\n"));
        assert_eq!(Form::Hex.decode(b"1g"), Err("it is no hex".into()));
        assert_eq!(
            Form::Hex.decode(b"1"),
            Err("it is no hex: a digit is missing at the end".into())
        );
        assert!(Form::Base64.decode(b"?").is_err());
    }

    #[test]
    fn an_end_that_the_editor_added_goes() {
        for (before, after, expected) in [
            ("a", "b\n", "b"),
            ("a\n", "b\n", "b\n"),
            ("a", "b", "b"),
            ("a", "b\n\n", "b\n"),
            ("", "\n", ""),
        ] {
            let after = without_added_end(before.as_bytes(), after.into());
            assert_eq!(after, expected.as_bytes(), "{before:?}");
        }
    }
}
