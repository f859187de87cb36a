#!/usr/bin/env bash
# What is given away, in target/dist.
#
#   dist.sh stage DIR        the tree that is installed below a prefix: program, links, manuals, completions, unit, licences
#   dist.sh tarball          quorate-VERSION-ARCH-linux.tar.gz: that tree. The same bytes, however often it is made
#   dist.sh deb              quorate_VERSION-1_ARCH.deb, by cargo-deb
#
# CARGO, CARGO_TARGET_DIR   as everywhere
# SCRIPTS                   the names of Apache's scripts that the program answers to, without .sh
# PROGRAM                   a program that is built already
# SOURCE_DATE_EPOCH         the time of every file; without it that of the last commit
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}
scripts=${SCRIPTS:?the names of the scripts, as make gives them}
dist=$root/target/dist
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export TZ=UTC LC_ALL=C

program() {
    if [[ -z ${PROGRAM:-} ]]; then
        "$cargo" build --release --locked -p quorate >&2
        PROGRAM=$target/release/quorate
    fi
    echo "$PROGRAM"
}

stage() { # folder, name of the program's place once it is installed
    local to=$1 bin=$2 pages script built
    built=$(program)
    pages=$(mktemp -d)
    "$cargo" run --quiet --locked -p quorate --example pages -- "$pages"
    install -D -m 755 "$built" "$to/bin/quorate"
    # Names of functions stay, for backtraces; lines of files go.
    strip --strip-debug "$to/bin/quorate"
    for script in $scripts; do
        ln -sf quorate "$to/bin/$script.sh"
    done
    install -D -m 644 -t "$to/share/man/man1" "$pages"/man/*.1
    install -D -m 644 "$pages/completions/quorate.bash" "$to/share/bash-completion/completions/quorate"
    install -D -m 644 -t "$to/share/zsh/vendor-completions" "$pages/completions/_quorate"
    install -D -m 644 -t "$to/share/fish/vendor_completions.d" "$pages/completions/quorate.fish"
    install -d "$to/lib/systemd/system"
    sed "s#/usr/local/bin/#$bin/#" docs/systemd/quorate.service >"$to/lib/systemd/system/quorate.service"
    chmod 644 "$to/lib/systemd/system/quorate.service"
    install -D -m 644 -t "$to/share/doc/quorate" README.md CHANGELOG.md LICENSE
    CARGO=$cargo tests/dist/licenses.py >"$to/share/doc/quorate/LICENSES-OF-DEPENDENCIES"
    chmod 644 "$to/share/doc/quorate/LICENSES-OF-DEPENDENCIES"
    rm -r "$pages"
}

tarball() {
    local name=quorate-$version-$(uname -m)-linux
    rm -rf "${dist:?}/$name"
    stage "$dist/$name" /usr/local/bin
    tar --directory "$dist" --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --mode=go=rX,u+rw -c "$name" | gzip -n -9 >"$dist/$name.tar.gz"
    rm -r "${dist:?}/$name"
    (cd "$dist" && sha256sum "$name.tar.gz")
}

deb() {
    "$cargo" deb --version >/dev/null 2>&1 || {
        echo "cargo-deb is not installed: cargo install cargo-deb" >&2
        exit 2
    }
    rm -rf "$dist/deb"
    stage "$dist/deb" /usr/bin
    gzip -n -9 "$dist"/deb/share/man/man1/*.1
    local when
    when=$(date -R -d "@$SOURCE_DATE_EPOCH")
    printf 'quorate (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' \
        "$version" "The Quorate contributors <quorate@example.org>" "$when" >"$dist/deb/changelog"
    "$cargo" deb --quiet --no-build --no-strip --package quorate --output "$dist/"
}

case ${1:-} in
stage) stage "${2:?where to?}" "${3:-/usr/local/bin}" ;;
tarball) tarball ;;
deb) deb ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
