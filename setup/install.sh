#!/usr/bin/env bash
# Makes .venv with everything labkit needs; says nothing when that is done already.
#
#   setup/install.sh [--tests]     --tests: also what only the tests need (make, a browser)
#
# Environment
#   PYTHON                     the Python (3.11 or newer) to build on; else the newest found
#   CI                         when set, sudo never asks for a password
#   PIP_INDEX_URL, PIP_CERT, SSL_CERT_FILE, HTTPS_PROXY    as pip and uv know them
set -euo pipefail
cd "$(dirname "$0")/.."
project=$(pwd -P)
venv=.venv
stamp=$venv/labkit-setup
half_made=$venv/labkit-half-made # stays where an installation was killed
oldest='3.11'
oldest_slicer='2.5'
known_pythons='3.13 3.12 3.11'
unset PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1 LC_ALL=C

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { say "$*"; exit 3; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a program; its output is shown only if it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    [ $status -eq 0 ] || tail -n 20 "$log" | cut -c -400 >&2
    rm -f "$log"
    return $status
}

# --- Python -----------------------------------------------------------------------------

new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < (${oldest/./, }))" >/dev/null 2>&1
}

minor_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

find_python() {
    local version
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON"
        return
    fi
    for version in $known_pythons ''; do
        if new_enough "python${version:-3}"; then
            command -v "python${version:-3}"
            return
        fi
    done
    return 1
}

# The environment works, stands where it was made and is on the Python asked for.
environment_fits() {
    [ ! -e $half_made ] && [ -x $venv/bin/pip ] && grep -qF "$project/$venv/" $venv/bin/pip &&
        new_enough $venv/bin/python && $venv/bin/python -c 'import pip' 2>/dev/null &&
        { [ -z "${PYTHON:-}" ] || [ "$(minor_version "$PYTHON")" = "$(minor_version $venv/bin/python)" ]; }
}

# One number for all that the environment is made from.
fingerprint() {
    find requirements.lock pyproject.toml setup labkit -type f \
        \( -name '*.lock' -o -name pyproject.toml -o -name install.sh \) -print0 |
        $venv/bin/python -c '
import hashlib, pathlib, sys
total = hashlib.sha256(repr(sys.version_info[:2]).encode())
for name in sorted(filter(None, sys.stdin.read().split("\0"))):
    total.update(name.encode() + hashlib.sha256(pathlib.Path(name).read_bytes()).digest())
print(total.hexdigest())'
}

set_up_already() {
    [ -f $stamp ] && environment_fits && [ "$(cat $stamp)" = "$(fingerprint)" ]
}

# --- what the system provides -----------------------------------------------------------

# No `| grep -q` here: it may end first, and pipefail then calls the pipe broken.
installed() { [[ $(dpkg-query -W -f='=${db:Status-Status}=' "$1" 2>/dev/null) == *=installed=* ]]; }
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p'; }
available() { [ -n "$(candidate "$1")" ]; }

# Debian's names of what is missing for the virtual environment.
missing_for_python() {
    local python version
    if python=$(find_python); then
        "$python" -c 'import ensurepip' 2>/dev/null || echo "python$(minor_version "$python")-venv"
    elif [ -z "${PYTHON:-}" ]; then
        for version in $known_pythons 3; do
            ! available "python$version" || break
        done
        echo "python$version" "python$version-venv"
    fi
}

have_slicer() {
    [ -n "${PRUSA_SLICER:-}" ] || have prusa-slicer || have PrusaSlicer ||
        [ -x $venv/labkit-tools/prusa-slicer/bin/prusa-slicer ]
}

slicer_offered_is_old() {
    local offered
    offered=$(candidate prusa-slicer)
    [ -n "$offered" ] && dpkg --compare-versions "$offered" lt $oldest_slicer
}

missing_packages() {
    local package
    missing_for_python
    have_slicer || slicer_offered_is_old || echo prusa-slicer
    for package in libegl1 libgl1-mesa-dri; do # VTK draws without a screen through these
        installed $package || echo $package
    done
}

missing_for_tests() {
    local package
    have make || echo make
    # Ubuntu has Chromium as a snap only, and so no package of that name
    have chromium || ! available chromium || echo chromium
    # playwright's own node needs it
    installed libatomic1 || echo libatomic1
    # a PACS to talk to, a second judge of DICOM files, and a register on a server
    for package in orthanc orthanc-dicomweb dicom3tools postgresql; do
        installed $package || echo $package
    done
}

may_be_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    have sudo || return 1
    ! sudo -n true 2>/dev/null || return 0
    [ -t 0 ] && [ -t 2 ] && [ -z "${CI:-}" ] || return 1
    say "sudo may ask for your password, to install by apt: $* (with CI=1 it is left out)"
    sudo -v
}

as_root() { if [ "$(id -u)" -eq 0 ]; then quietly "$@"; else quietly sudo -n "$@"; fi; }

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y "$@"
}

apt_update() {
    say 'updating the lists of packages (apt)'
    apt_get update || say 'not all lists could be updated; going on'
}

# apt takes all or nothing: where it refuses the lot, each package gets its own chance.
apt_install() {
    local package
    say "installing by apt: $*"
    if apt_get install --no-install-recommends "$@"; then return; fi
    apt_update
    for package in "$@"; do
        apt_get install --no-install-recommends "$package" || say "apt could not install $package"
    done
}

# Installs what the function named lists, where that is allowed; says what stays missing.
provide() {
    local package missing wanted=()
    read -r -d '' -a missing < <("$1") || true
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! may_be_root "${missing[@]}"; then
        say "not installed, as that needs administrator rights: ${missing[*]}"
        say "to have them: sudo apt-get install --no-install-recommends ${missing[*]}"
        return
    fi
    if ! available libegl1; then # in every release: apt has no lists yet
        apt_update
        read -r -d '' -a missing < <("$1") || true
    fi
    for package in "${missing[@]}"; do
        if available "$package"; then
            wanted+=("$package")
        else
            say "apt knows no package $package here"
        fi
    done
    [ ${#wanted[@]} -eq 0 ] || apt_install "${wanted[@]}"
}

provide_system() {
    if have apt-get; then
        provide missing_packages
        if ! installed libegl1 || ! installed libgl1-mesa-dri; then
            say 'without libegl1 and libgl1-mesa-dri the 3D pictures are simpler, or left out'
        fi
        if ! have_slicer && slicer_offered_is_old; then
            say "PrusaSlicer $oldest_slicer or newer is needed, apt here has $(candidate prusa-slicer): see docs/setup.md"
        fi
    elif ! have_slicer; then
        say "no apt here: PrusaSlicer $oldest_slicer or newer has to be installed by hand: see docs/setup.md"
    fi
}

provide_for_tests() {
    local service new=()
    if have apt-get; then
        for service in orthanc postgresql; do installed $service || new+=("$service"); done
        provide missing_for_tests
        for service in "${new[@]}"; do
            ! installed "$service" || retire "$service"
        done
    fi
    have chromium || say 'no chromium (on Ubuntu it is a snap): the tests in a browser will be skipped'
}

# Their packages start servers, now and at every boot; the tests start their own.
retire() {
    have systemctl || return 0
    as_root systemctl disable "$1" &&
        { [ ! -d /run/systemd/system ] || as_root systemctl stop "$1"; } ||
        say "$1 may run as a service: sudo systemctl disable --now $1"
}

# --- the virtual environment ------------------------------------------------------------

# Debian keeps pip's wheel in a package of its own, which can be unpacked without root.
borrow_pip() {
    local folder status=0
    folder=$(mktemp -d)
    (cd "$folder" && quietly apt-get download python3-pip-whl && dpkg-deb -x ./*.deb .) &&
        PYTHONPATH=$(find "$folder" -name 'pip-*.whl') $venv/bin/python -m pip install -q \
            --no-index "$(find "$folder" -name 'pip-*.whl')" || status=$?
    rm -rf "$folder"
    return $status
}

make_environment() {
    local python
    environment_fits && return
    if ! python=$(find_python) || ! new_enough "$python"; then
        stop "no Python $oldest or newer found${PYTHON:+ as $PYTHON}: install one, or name it: make setup PYTHON=..."
    fi
    say "making $venv on $python ($(minor_version "$python"))"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        quietly "$python" -m venv --clear $venv || stop 'the virtual environment could not be made'
    elif ! { have apt-get && quietly "$python" -m venv --clear --without-pip $venv && borrow_pip; }; then
        stop "$python cannot make a virtual environment; install python$(minor_version "$python")-venv"
    fi
}

# What pip is told of certificates and mirrors, uv is told too, and the other way round.
share_settings() {
    local certificates index system=/etc/ssl/certs/ca-certificates.crt
    certificates=${PIP_CERT:-${SSL_CERT_FILE:-$(pip_setting cert)}}
    if [ -z "$certificates" ] && [ -s $system ]; then
        certificates=$system # a hospital's own are installed there
    fi
    [ -z "$certificates" ] || export PIP_CERT="$certificates" SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"
    index=${PIP_INDEX_URL:-$(pip_setting index-url)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -w "${HOME:-/nonexistent}" ] || export UV_NO_CACHE=1
}

pip_setting() { $venv/bin/python -m pip config get "global.$1" 2>/dev/null || true; }

install_packages() {
    local status=0
    say 'installing the locked Python packages, about 1.5 GB'
    touch $half_made
    install_locked || status=$?
    rm -f $half_made
    [ $status -eq 0 ] || stop 'the Python packages could not be installed (the reason is above); run it again to go on'
}

install_locked() {
    local install=("$venv/bin/python" -m pip install) wheels_only=(--only-binary ':all:')
    if quietly "${install[@]}" "${wheels_only[@]}" --require-hashes -r setup/installer.lock; then
        install=("$venv/bin/uv" pip install --python "$venv/bin/python")
        wheels_only=(--no-build)
    else
        say 'uv could not be installed; going on with pip, which takes some minutes'
    fi
    # never from source: that would need a compiler, and would run a stranger's set-up code
    quietly "${install[@]}" "${wheels_only[@]}" --require-hashes -r requirements.lock -r setup/build.lock &&
        quietly "${install[@]}" --no-deps --no-build-isolation -e .
}

# The practice printer and, where the system has none, the slicer.
install_tools() {
    say "installing the kit's own tools"
    if ! $venv/bin/labkit doctor --install >/dev/null && ! only_pictures_suffer; then
        $venv/bin/labkit doctor >&2 || true
        stop 'the set-up is not complete: see above; run it again to go on'
    fi
}

only_pictures_suffer() {
    { $venv/bin/labkit doctor --json 2>/dev/null || true; } | $venv/bin/python -c '
import json, sys
lacking = {row["tool"] for row in json.load(sys.stdin)["tools"] if row["state"] != "ok"}
sys.exit(lacking != {"off-screen graphics"})' 2>/dev/null
}

# ----------------------------------------------------------------------------------------

exec 9<setup/install.sh
if have flock && ! flock -n 9; then
    say 'waiting for another set-up in this folder'
    flock 9
fi

if ! set_up_already; then
    rm -f $stamp
    provide_system
    make_environment
    share_settings
    install_packages
    install_tools
    fingerprint >$stamp.new
    mv $stamp.new $stamp
    say 'done'
fi
if [ "${1:-}" = --tests ]; then provide_for_tests; fi
