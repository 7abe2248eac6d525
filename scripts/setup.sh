#!/usr/bin/env bash
# Takes a fresh clone to where it runs: system packages, node_modules, native build.
#
#   scripts/setup.sh start   what `npm start` needs (DPDK where it can be had)
#   scripts/setup.sh test    all of it: the tools of the tests, C++ tests and benchmarks too
#
# Runs on any Node that has npm: node_modules brings the Node that the project runs on. Missing
# system packages are installed when run by root; otherwise the command to run is printed. A step
# that is up to date does nothing, and no step is repeated. Log: build/setup/log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:-test}
case $mode in
  start) groups=(required dpdk) ;;
  test) groups=(required dpdk rdma test) ;;
  *) echo "usage: scripts/setup.sh [start|test]" >&2; exit 2 ;;
esac

state=build/setup
log=$state/log
began=$SECONDS
busy=  # becomes 1 with the first step that has something to do
notes= # what is unavailable, for the closing lines
step_line=0 # where the last step's output begins in the log
export PATH="$PWD/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

main() {
  mkdir -p "$state"
  if command -v flock >/dev/null; then
    exec 9>"$state/lock"
    flock -n 9 || { say "waiting for another set-up of this checkout"; flock 9; }
  fi
  : >"$log"
  install_system_packages
  install_node_modules
  build_native
  if [[ $busy ]]; then say "ready after $((SECONDS - began)) s"; else say "up to date"; fi
  [[ -z $notes ]] || { printf '%s' "$notes"; [[ -z $(missing) ]] || mend; }
}

say() { printf 'set-up: %s\n' "$*"; }

fail() {
  printf 'set-up: %s\n' "$@" >&2
  exit 1
}

# step TITLE COMMAND...: runs it into the log, showing the seconds; silent when over in a blink.
step() {
  local title=$1 start=$SECONDS ticks=0 status=0
  shift
  step_line=$(wc -l <"$log")
  "$@" >>"$log" 2>&1 9>&- &
  local child=$!
  while kill -0 "$child" 2>/dev/null; do
    sleep 0.05
    ticks=$((ticks + 1))
    ((ticks == 15)) && { busy=1; [[ -t 1 ]] || say "$title"; }
    if [[ -t 1 ]]; then
      ((ticks >= 15 && ticks % 5 == 0)) && printf '\rset-up: %s (%d s) ' "$title" $((SECONDS - start))
    elif ((ticks % 200 == 0)); then
      say "  ... $((SECONDS - start)) s: $(tail -n 1 "$log" | cut -c 1-90)"
    fi
  done
  wait "$child" || status=$?
  if ((ticks >= 15)); then
    [[ -t 1 ]] && printf '\r\033[K'
    ((status)) || say "$title: done in $((SECONDS - start)) s"
  fi
  return "$status"
}

# What the last step said went wrong: its first complaints, or else its last lines.
show_failure() {
  local output
  output=$(tail -n +"$((step_line + 1))" "$log")
  { grep -m 20 -iE 'error|fail|^E:|unable|denied' <<<"$output" || tail -n 20 <<<"$output"; } |
    sed 's/^/    /' >&2
}

# --- system packages ---------------------------------------------------------------------------

present() {
  case $1 in
    pkg:*) pkg-config --exists "${1#pkg:}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_in() { # the packages of a group that are not there, one a line
  local group package probe rest
  while read -r group package probe rest; do
    [[ $group == "$1" ]] && ! present "$probe" && printf '%s\n' "$package"
  done <scripts/system-packages.txt
  return 0
}

install_system_packages() {
  local group packages
  for group in "${groups[@]}"; do
    mapfile -t packages < <(missing_in "$group")
    ((${#packages[@]} == 0)) || apt_install "$group" "${packages[@]}" || unavailable "$group"
  done
  if [[ $mode == test ]] && ! command -v valkey-server >/dev/null; then install_valkey; fi
}

# The tests of the store run on Valkey too where it is there. Debian 12 has it among its backports
# alone: those are asked with lists of our own, so that the machine's sources stay as they are.
install_valkey() {
  command -v apt-get >/dev/null && ((EUID == 0)) || return 0
  local failed=$state/apt-failed-valkey lists=$PWD/$state/apt sources=$PWD/$state/valkey.list
  local suite mirror options
  [[ -n $(find "$failed" -mmin -60 2>/dev/null) ]] && return 0
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$suite" '$1 == suite { print $2; exit }')
  mkdir -p "$lists/partial"
  printf 'deb %s %s main\n' "$mirror" "$suite" "$mirror" "$suite-backports" >"$sources"
  options=(-q -o "Dir::Etc::SourceList=$sources" -o Dir::Etc::SourceParts=/dev/null)
  options+=(-o "Dir::State::lists=$lists" -o Acquire::Retries=2 -o Acquire::http::Timeout=20)
  options+=(-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -o APT::Sandbox::User=root)
  keep_services_stopped
  if [[ $mirror ]] && step "installing Valkey from $suite-backports" sh -c '
    apt-get "$@" update && exec env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
      apt-get "$@" -y --no-install-recommends -t "$0" install valkey-server' \
    "$suite-backports" "${options[@]}"; then
    disable_services valkey-server
  else
    touch "$failed"
    notes+="  without Valkey: the tests of the store run on Redis alone (see $log)"$'\n'
  fi
  let_services_start
}

# A missing required package ends set-up, and in CI any does; otherwise the closing lines tell.
unavailable() {
  if [[ $1 == required || -n ${CI:-} ]]; then fail "system packages are missing" "$(mend)"; fi
  case $1 in
    dpdk) notes+="  without DPDK: no ports on network cards or interfaces, no benchmarks"$'\n' ;;
    rdma) notes+="  without RDMA: no stores at rdma:// URLs"$'\n' ;;
    test) notes+="  without some test tools: the tests that use them will fail"$'\n' ;;
  esac
}

missing() { for group in "${groups[@]}"; do missing_in "$group"; done | xargs; }

mend() { # what installs all that is still missing
  local missing
  missing=$(missing)
  if command -v apt-get >/dev/null; then
    echo "  mend: sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends $missing'"
  else
    echo "  mend: install what Debian calls: $missing"
  fi
}

apt_updated=
apt_install() { # GROUP PACKAGE...
  command -v apt-get >/dev/null && ((EUID == 0)) || return 1
  local group=$1 status=0 failed=$state/apt-failed-$1
  shift
  # A machine without a network should not wait for it at every start.
  if [[ $group != required && -z ${CI:-} && -n $(find "$failed" -mmin -60 2>/dev/null) ]]; then
    notes+="  apt-get failed less than an hour ago; to try again now: rm $failed"$'\n'
    return 1
  fi
  local options=(-q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Acquire::http::Timeout=20)
  options+=(-o Dpkg::Use-Pty=0)
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  # A source that fails does not matter while the others give what is wanted: install tells.
  [[ $apt_updated ]] || step "refreshing the package lists" apt-get "${options[@]}" update || true
  apt_updated=1
  keep_services_stopped
  step "installing for $group: $*" \
    apt-get "${options[@]}" -y --no-install-recommends install "$@" || status=$?
  let_services_start
  if ((status)); then
    show_failure
    say "apt-get failed: see above, and whether this machine reaches its Debian mirror" >&2
    touch "$failed"
    return 1
  fi
  rm -f "$failed"
  disable_services "$@"
}

# Packages with a daemon start it when installed unless this file says no (Debian's invoke-rc.d).
policy=/usr/sbin/policy-rc.d
policy_mark="# made by rxnf's set-up for the time of one installation"
keep_services_stopped() {
  grep -qsF "$policy_mark" "$policy" && rm -f "$policy" # left by a set-up that was killed
  [[ -e $policy ]] && return 0
  trap let_services_start EXIT
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
}
let_services_start() {
  if grep -qsF "$policy_mark" "$policy"; then rm -f "$policy"; fi
}

# Nor at the next boot: the tests start what they need, in namespaces of their own.
disable_services() {
  command -v systemctl >/dev/null || return 0
  local package unit
  for package in "$@"; do
    while read -r unit; do
      systemctl disable "$(basename "$unit")" >>"$log" 2>&1 || true
    done < <(dpkg-query -L "$package" 2>/dev/null | grep 'systemd/system/[^@]*\.service$' || true)
  done
}

# --- node_modules ------------------------------------------------------------------------------

install_node_modules() {
  local stamp=node_modules/.rxnf-installed hash
  hash=$(sha256sum package-lock.json)
  if [[ -x node_modules/.bin/node && $(cat "$stamp" 2>/dev/null) == "$hash" ]]; then return; fi
  command -v npm >/dev/null || fail "npm is not installed: install Node.js 18 or later, any source"
  if ! step "npm ci" npm ci --no-audit --no-fund; then
    show_failure
    fail "npm ci failed: see above, and whether this machine reaches its npm registry"
  fi
  [[ -x node_modules/.bin/node ]] && node_modules/.bin/node -e 0 2>/dev/null ||
    fail "npm did not run the install script of the package node, which brings Node 24" \
      "allow it: npm config set ignore-scripts false; then run this again"
  printf '%s\n' "$hash" >"$stamp"
}

# --- native build ------------------------------------------------------------------------------

build_native() {
  if [[ $mode == start ]]; then
    build_runtime
    return
  fi
  step "native build" scripts/build-native.sh all || native_failed
  RXNF_BUILD_DIR=$PWD/build/sanitize RXNF_CMAKE_ARGS=-DRXNF_SANITIZE=address,undefined \
    step "native tests with sanitizers" scripts/build-native.sh native_tests || native_failed
}

# Without its DPDK library rxnf runs all the same, so one that does not build is not fatal here.
build_runtime() {
  step "native build" scripts/build-native.sh runtime && return
  step "native build without DPDK" scripts/build-native.sh rxnf || native_failed
  notes+="        without DPDK: its port library did not build, see $log"$'\n'
}

native_failed() {
  show_failure
  fail "the native build failed: see above; the whole log is $log"
}

main
