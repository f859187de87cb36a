//! What the machine says of itself.

use std::env;
use std::path::PathBuf;

use rustix::system::{sysinfo, uname};

use crate::runtime::Environment;

pub(super) fn environment() -> Environment {
    let machine = uname();
    let text = |text: &std::ffi::CStr| Some(text.to_string_lossy().into_owned());
    let path = |path: PathBuf| path.display().to_string();
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    // As Java calls it.
    let os_arch = match env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    };
    let memory = sysinfo();
    Environment {
        host_name: text(machine.nodename()),
        tmp_dir: Some(path(env::temp_dir())),
        os_name: text(machine.sysname()),
        os_arch: Some(os_arch.into()),
        os_version: text(machine.release()),
        user_name: variable("USER").or_else(|| variable("LOGNAME")),
        user_home: variable("HOME"),
        user_dir: env::current_dir().ok().map(path),
        memory_bytes: Some(memory.totalram.saturating_mul(memory.mem_unit.into())),
    }
}
