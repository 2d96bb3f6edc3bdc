# shellcheck shell=bash
# What tools/quickstart, tools/private-farm and tools/test share: messages, finding or installing what the
# machine must have (PostgreSQL's server, Python, a C compiler), and running things as an unprivileged account.
#
# In:  the environment (PATH, PYTHON, SUDO_USER, PIW_USER), QUICKSTART_T0 (when the first script began, in seconds).
# Out: PYTHON_BIN, PYTHON_ABI, POSTGRES_BIN, ACCOUNT.
# It knows nothing of farms and nothing of tests. Sourced, never run.

QUICKSTART_T0=${QUICKSTART_T0:-$(date +%s)}
export QUICKSTART_T0

# Empty: whoever runs the script. Set (by choose_account, only as root): the account that `as_account` drops to.
ACCOUNT=
# Where as_account points HOME; never root's own.
ACCOUNT_HOME=/nonexistent

# say TEXT…: one calm line with the seconds since the start.
say() { printf '[%4d s] %s\n' "$(($(date +%s) - QUICKSTART_T0))" "$*"; }

# die TEXT…: what is wrong and what to do about it; ends the script with 1.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# choose_account [DIR]: sets ACCOUNT, as root only. An existing farm in DIR keeps the account that owns it.
choose_account() {
  local owner
  is_root || return 0
  if [ -n "${PIW_USER:-}" ]; then
    ACCOUNT=$PIW_USER
  elif [ -n "${1:-}" ] && [ -d "$1/pg" ] && owner=$(stat -c %U "$1/pg") && [ "$owner" != root ]; then
    ACCOUNT=$owner
  elif [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
    ACCOUNT=$SUDO_USER
  else
    ACCOUNT=piwheels
    if ! id piwheels >/dev/null 2>&1; then
      say "Creating the system account piwheels: PostgreSQL, master and slave refuse to run as root"
      useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin piwheels
    fi
  fi
  id "$ACCOUNT" >/dev/null 2>&1 || die "there is no account $ACCOUNT; set PIW_USER to one that exists"
  [ "$(id -u "$ACCOUNT")" -ne 0 ] || die "PIW_USER must name an unprivileged account, not root"
}

# user_command ACCOUNT HOME: sets AS_USER to the words that run a command as that account, with the caller's
# environment except what points into the caller's own home.
user_command() {
  AS_USER=(
    setpriv "--reuid=$1" "--regid=$(id -g "$1")" --init-groups --
    env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u XDG_RUNTIME_DIR -u XDG_STATE_HOME
    "HOME=$2" "USER=$1" "LOGNAME=$1"
  )
}

# as_account COMMAND…: as ACCOUNT; as ourselves when we are not root. Not for `exec`: use AS_USER there.
as_account() {
  local -a AS_USER=()
  [ -z "$ACCOUNT" ] || user_command "$ACCOUNT" "$ACCOUNT_HOME"
  "${AS_USER[@]}" "$@"
}

# python_abi INTERPRETER: prints its ABI tag and its real path when it can build wheels (CPython from 3.9, with pip,
# venv and headers), else fails. Run as ACCOUNT, since that is who builds; from /, which anyone may enter.
python_abi() {
  local answer
  answer=$(cd / && as_account "$1" -c '
import ensurepip, os, pip, sys, sysconfig, venv
usable = (
    sys.implementation.name == "cpython" and sys.version_info >= (3, 9)
    and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
)
free_threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print("cp%d%d%s" % (*sys.version_info[:2], free_threaded), sys.executable)
sys.exit(not usable)
' 2>/dev/null) || return 1
  # Some programs take any arguments, and succeed.
  [[ $answer == cp3* ]] || return 1
  printf '%s\n' "$answer"
}

# shellcheck disable=SC2034  # PYTHON_ABI is for the scripts that source this
# find_python [FIRST]: sets PYTHON_BIN and PYTHON_ABI to $PYTHON if set, else to FIRST or the first usable python3 of
# PATH and the usual places. Fails when there is none.
find_python() {
  local candidate answer
  local -a candidates=()
  if [ -n "${PYTHON:-}" ]; then
    # It is asked from another directory than the caller's.
    [[ $PYTHON != */* ]] || PYTHON=$(realpath -s -- "$PYTHON")
    answer=$(python_abi "$PYTHON") ||
      die "PYTHON=$PYTHON cannot build wheels${ACCOUNT:+ as $ACCOUNT}: CPython 3.9 or newer with pip, venv and Python.h is needed"
    read -r PYTHON_ABI PYTHON_BIN <<<"$answer"
    return
  fi
  mapfile -t candidates < <(type -aP python3)
  for candidate in "${1:-}" "${candidates[@]}" /usr/bin/python3 /usr/local/bin/python3; do
    [ -n "$candidate" ] || continue
    answer=$(python_abi "$candidate") || continue
    read -r PYTHON_ABI PYTHON_BIN <<<"$answer"
    return
  done
  return 1
}

# find_postgres [MAJOR]: sets POSTGRES_BIN to the directory of the server's programs that ACCOUNT can run: of that
# major version if one is named, else the one of PATH, of pg_config, or the newest of Debian's places.
find_postgres() {
  local major=${1:-} bin
  local -a bins=()
  for bin in $(type -aP initdb); do
    bins+=("$(dirname "$(readlink -f "$bin")")")
  done
  type -P pg_config >/dev/null && bins+=("$(pg_config --bindir 2>/dev/null || true)")
  mapfile -t -O "${#bins[@]}" bins < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV)
  for bin in "${bins[@]}"; do
    if [ ! -x "$bin/initdb" ] || [ ! -x "$bin/psql" ] || [ ! -x "$bin/pg_isready" ]; then continue; fi
    (cd / && as_account "$bin/postgres" --version >/dev/null 2>&1) || continue
    [ -z "$major" ] || [ "$("$bin/postgres" --version | grep -oE '[0-9]+' | head -n 1)" = "$major" ] || continue
    POSTGRES_BIN=$bin
    return
  done
  return 1
}

# apt_install PACKAGE…: with root or sudo; else prints the line to run and ends the script. Debian's postgresql is
# kept from starting a cluster of its own, for this one installation only: later ones are the operator's business.
apt_install() {
  local dropin=/etc/postgresql-common/createcluster.d/private-farm.conf
  local -a become=()
  type -P apt-get >/dev/null ||
    die "this machine lacks what Debian calls $*: install it with your package manager and start again"
  if ! is_root; then
    if ! type -P sudo >/dev/null || { ! sudo -n true 2>/dev/null && [ ! -t 0 ]; }; then
      die "packages are missing, and there is no sudo to install them with; run this line as root, then start again:
  apt-get update && apt-get install -y --no-install-recommends $*"
    fi
    become=(sudo)
  fi
  say "Installing with apt: $*"
  # shellcheck disable=SC2016  # expanded by the inner shell
  "${become[@]}" sh -c 'mkdir -p "${1%/*}" && echo "create_main_cluster = false" >"$1"' sh "$dropin"
  if ! apt_run "$@"; then
    "${become[@]}" rm -f "$dropin"
    die "apt-get could not install $*; put right what it says above and start again"
  fi
  "${become[@]}" rm -f "$dropin"
}

# apt_run PACKAGE…: apt-get's part of apt_install, with its `become`; quiet unless it fails.
apt_run() {
  local log status=0
  log=$(mktemp)
  "${become[@]}" apt-get update -qq >"$log" 2>&1 </dev/null &&
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1 </dev/null || status=1
  [ "$status" -eq 0 ] || tail -n 15 "$log" >&2
  rm -f "$log"
  return "$status"
}

# ensure_machine [PYTHON] [POSTGRES-MAJOR]: finds the three, installing in one go only what is not there.
ensure_machine() {
  local -a missing=()
  find_python "${1:-}" || missing+=(python3 python3-venv python3-dev python3-pip)
  find_postgres "${2:-}" || missing+=("postgresql${2:+-$2}")
  type -P cc >/dev/null || missing+=(gcc libc6-dev)
  [ "${#missing[@]}" -eq 0 ] && return
  apt_install "${missing[@]}"
  hash -r
  [ -n "${PYTHON_BIN:-}" ] || find_python || die "python3 was installed but cannot be used; set PYTHON to an interpreter with pip, venv and Python.h"
  [ -n "${POSTGRES_BIN:-}" ] || find_postgres "${2:-}" || die "PostgreSQL was installed but its server programs were not found; put their directory into PATH"
  type -P cc >/dev/null || die "a C compiler was installed but cc is not in PATH"
}

# ensure_cargo: a Rust toolchain in PATH, or the advice to get one. It is not installed here: which one is used, and
# for whom, is the developer's decision.
ensure_cargo() {
  [ -x "${HOME:-/nonexistent}/.cargo/bin/cargo" ] && PATH=$PATH:$HOME/.cargo/bin
  type -P cargo >/dev/null ||
    die "there is no cargo in PATH; install the Rust toolchain named in Cargo.toml (rust-version), with rustup or your distribution's packages, and start again"
}

# own_directory PATH ACCOUNT MODE: makes a directory in a place that anyone may write, or takes it when it is that
# account's own: a directory put there by somebody else is not entered.
own_directory() {
  if mkdir -m "$3" "$1" 2>/dev/null; then
    chown "$2:" "$1"
  elif [ -L "$1" ] || [ ! -d "$1" ] || [ "$(stat -c %U "$1")" != "$2" ]; then
    die "$1 is in the way and is not $2's own directory; move it away and start again"
  fi
}

# path_hash PATH: eight characters that stand for it.
path_hash() { printf '%s' "$1" | sha256sum | cut -c 1-8; }
