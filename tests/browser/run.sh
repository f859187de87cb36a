#!/usr/bin/env bash
# Pages in a real browser. Timelines: nothing fetched, nothing on the console, every step, and no
# frame of 50 ms while panning through 100,000 events. The page of the admin port: of servers that run
# under load, with hostile names, a server stopped and others killed.
#
#   run.sh            both; pictures go to target/browser
#   run.sh timeline   recordings are made, pages written and tried
#   run.sh page       the page of the admin port alone
#
# DOCS           a directory: pictures of the page go there too (docs), after WATCH_MS of load
# QUORATE        a built server, in place of a release build
# QUORATE_SIM    a built simulator, in place of a release build
# SYNTHETIC      a built example synthetic_recording, likewise
# CHROMIUM       the browser; chromium if not given
#
# Needs Node.js. Installs what else it needs: Debian's package chromium, and playwright-core of npm
# into target/browser.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out="$root/target/browser"
export CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
mkdir -p "$out"
cd "$root"

die() {
    echo "browser: $*" >&2
    exit 1
}

what=${1:-both}
[[ $what =~ ^(both|timeline|page)$ ]] || die "timeline or page"
command -v node >/dev/null || die "no node: install Node.js 18 or newer"
if [[ -z $CHROMIUM ]]; then
    sudo=
    ((EUID == 0)) || sudo=sudo
    $sudo apt-get update -qq &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >"$out/apt.log" 2>&1 ||
        die "chromium could not be installed: $out/apt.log"
    CHROMIUM=$(command -v chromium)
fi
[[ -d $out/node_modules/playwright-core ]] ||
    npm install --silent --no-audit --no-fund --no-save --prefix "$out" playwright-core@1 || die "npm could not install playwright-core"

if [[ $what != timeline ]]; then
    if [[ -z ${QUORATE:-} ]]; then
        cargo build --release --quiet -p quorate
        export QUORATE="$root/target/release/quorate"
    fi
    node "$root/tests/browser/page.mjs" "$out"
fi
[[ $what != page ]] || exit 0
if [[ -z ${QUORATE_SIM:-} ]]; then
    cargo build --release --quiet -p quorate-sim
    QUORATE_SIM="$root/target/release/quorate-sim"
fi
if [[ -z ${SYNTHETIC:-} ]]; then
    cargo build --release --quiet -p quorate-sim --example synthetic_recording
    SYNTHETIC="$root/target/release/examples/synthetic_recording"
fi

# A deliberate bug is switched on: this run fails, and must.
if "$QUORATE_SIM" run scenarios/split_brain/01_the_leader_is_cut_off.toml --seed 1 --museum vote_counted_twice \
    --record "$out/split.qrec" --quiet >"$out/split.txt"; then
    die "the recorded run violates nothing"
fi
"$QUORATE_SIM" run scenarios/election/01_one_by_one.toml --seed 1 --record "$out/holds.qrec" --quiet
"$SYNTHETIC" 100000 "$out/synthetic.qrec"
for name in split holds synthetic; do
    "$QUORATE_SIM" timeline "$out/$name.qrec" --out "$out/$name.html"
done
exec node "$root/tests/browser/timeline.mjs" "$out"
