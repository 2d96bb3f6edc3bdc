# shellcheck shell=bash
# Packages of Debian's archive, unpacked into a directory of ours: nothing is installed, no root is needed, and neither
# apt's state nor dpkg's is touched.
#
# In:  CACHE (the directory that keeps everything), apt's own configuration (which archive, which proxy), the machine's
#      release, say and die of tools/lib.sh.
# Out: directories with what was in the packages; $CACHE/.lock while it is being changed.
# It knows nothing of compilers and boards. Sourced, never run.

# Where this machine lacks what it cannot be done without, scripts end with this code, so that tests can skip.
UNAVAILABLE=3

# lack TEXT…: like die, for what this machine does not have.
lack() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "$UNAVAILABLE"
}

# need COMMAND PACKAGE …: pairs; ends the script when a command is missing, naming all the packages to install.
need() {
  local -a missing=() packages=()
  while [ $# -gt 0 ]; do
    if ! type -P "$1" >/dev/null; then
      missing+=("$1")
      packages+=("$2")
    fi
    shift 2
  done
  [ "${#missing[@]}" -eq 0 ] || lack "${missing[*]} not found: apt-get install ${packages[*]}"
}

# lock_cache: one at a time. What we start must not inherit it: 9>&-.
lock_cache() {
  exec 9>"$CACHE/.lock"
  flock -n 9 && return
  say "Waiting for another run in $CACHE"
  flock 9
}
unlock_cache() { exec 9>&-; }

# is_stamped DIR TEXT: was DIR made, wholly, by what TEXT stands for?
is_stamped() { [ "$(cat "$1/.stamp" 2>/dev/null)" = "$2" ]; }

# put_stamped NEW DIR TEXT: NEW takes DIR's place; who has files of the old one open keeps them.
put_stamped() {
  printf '%s\n' "$3" >"$1/.stamp"
  rm -rf "$2.old"
  [ ! -e "$2" ] || mv "$2" "$2.old"
  mv "$1" "$2"
  rm -rf "$2.old"
}

# apt_private APT-COMMAND…: apt with lists, cache and state of its own. What others hooked into the machine's apt (such
# as images that empty the real cache after each run) stays out; its proxies and keys hold.
apt_private() {
  local program=$1
  shift
  "$program" -q -q -c "$CACHE/apt/apt.conf" "$@" 9>&-
}

# archive_lines APT-GET…: lines for sources.list, of Debian's archive as the machine's apt has it: all of the release for this
# architecture, and for the others what does not come from its security archive, whose lists for them may lag behind.
archive_lines() {
  local key=/usr/share/keyrings/debian-archive-keyring.gpg host signed=""
  host=$(dpkg --print-architecture)
  [ ! -f "$key" ] || signed="signed-by=$key"
  # shellcheck disable=SC2016  # apt's own placeholders
  "$@" indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
    awk -v suite="$SUITE" -v host="$host" -v others="$(printf ',%s' "${OTHERS[@]}")" -v signed="$signed" '
      $5 != "Debian" || $3 != "main" || seen[$1, $2]++ { next }
      $4 == suite { printf "deb [arch=%s%s %s] %s %s main\n", host, others, signed, $1, $2 }
      $4 == suite "-security" || $4 == suite "-updates" { printf "deb [arch=%s %s] %s %s main\n", host, signed, $1, $2 }
    '
}

APT_IS_READY=

# prepare_apt: the private lists, fetched anew once a run.
prepare_apt() {
  local apt=$CACHE/apt arch host
  [ -z "$APT_IS_READY" ] || return 0
  need apt-get apt dpkg-deb dpkg tar tar
  host=$(dpkg --print-architecture)
  # For whom packages are fetched beside this machine's own kind.
  OTHERS=()
  for arch in amd64 arm64 armhf; do [ "$arch" = "$host" ] || OTHERS+=("$arch"); done
  SUITE=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,log}
  : >"$apt/nothing"
  cat >"$apt/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$apt/state";
Dir::State::status "$apt/nothing";
Dir::Cache "$apt/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Log "$apt/log";
APT::Architectures { "$host"; $(printf '"%s"; ' "${OTHERS[@]}") };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
Acquire::http::Timeout "60";
Debug::NoLocking "true";
Dpkg::Use-Pty "false";
END
  archive_lines apt-get >"$apt/sources.list"
  if [ ! -s "$apt/sources.list" ]; then
    # A machine whose lists were never fetched: its sources, in lists of ours.
    mkdir -p "$apt/machine/lists/partial"
    apt-get -q -q -o Dir::State="$apt/machine" -o APT::Sandbox::User= update 9>&- >&2 || true
    archive_lines apt-get -o Dir::State="$apt/machine" >"$apt/sources.list"
    rm -rf "$apt/machine"
  fi
  [ -s "$apt/sources.list" ] ||
    lack "apt knows of no archive of Debian $SUITE: put it into /etc/apt/sources.list and run apt-get update"
  fetch_lists
  APT_IS_READY=1
}

fetch_lists() {
  say "Fetching the lists of Debian $SUITE"
  apt_private apt-get update -o APT::Update::Error-Mode=any >&2 ||
    lack "Debian's archive cannot be read; is the network there? What apt says is above"
}

# add_backports: from here on, PACKAGE/$SUITE-backports is to be had for this machine's own kind, too.
add_backports() {
  sed -n "s/\\[arch=[a-z0-9,]* \\(.* $SUITE\\) main\$/[arch=$(dpkg --print-architecture) \\1-backports main/p" \
    "$CACHE/apt/sources.list" >"$CACHE/apt/backports"
  cat "$CACHE/apt/backports" >>"$CACHE/apt/sources.list"
  fetch_lists
}

# candidate PACKAGE: the version that would be fetched; nothing where there is none.
candidate() { apt_private apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: *//p' | head -n 1; }

# status_without NAME: this machine's packages as if it had none whose name begins with NAME, a regular expression.
status_without() {
  awk -v name="^Package: ($1)" 'BEGIN { RS = ""; ORS = "\n\n" } $0 !~ name' /var/lib/dpkg/status
}

# shellcheck disable=SC2034  # DEBS is for the scripts that source this
# fetch_packages STATUS ARCH PACKAGE…: PACKAGEs and what they need beyond what STATUS (a file such as dpkg's own) says is
# there, for machines of that kind; sets DEBS to the files. drop_packages deletes them.
fetch_packages() {
  local status=$1 arch=$2
  shift 2
  drop_packages
  apt_private apt-get -o Dir::State::status="$status" -o APT::Architecture="$arch" -y --download-only install "$@" >&2 ||
    lack "these packages cannot be fetched from Debian's archive: $*; what apt says is above"
  DEBS=("$CACHE"/apt/cache/archives/*.deb)
}

# shellcheck disable=SC2034
# fetch_only PACKAGE…: these alone, whatever they need. Sets DEBS.
fetch_only() {
  drop_packages
  (cd "$CACHE/apt/cache/archives" && apt_private apt-get download "$@") >&2 ||
    lack "these packages cannot be fetched from Debian's archive: $*; what apt says is above"
  DEBS=("$CACHE"/apt/cache/archives/*.deb)
}

drop_packages() {
  rm -rf "$CACHE/apt/cache"
  mkdir -p "$CACHE/apt/cache/archives/partial"
}

# unpack DEB DIR [TAR-ARGUMENT…]: what TAR-ARGUMENTs say of it (patterns, --exclude); no script of the package is run.
unpack() {
  local deb=$1 dir=$2
  shift 2
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$dir" --wildcards "$@" ||
    die "$deb cannot be unpacked into $dir"
}

# provide PACKAGE OWN [--cache DIR] [--unpack]: prints a program: OWN, unless it is empty or --unpack asks for Debian's; then
# CACHE/PACKAGE/PACKAGE, where the script's unpack_program VERSION puts it, unless it is there and the script's `runs` says
# that it does.
provide() {
  local package=$1 own=$2 force='' version program
  shift 2
  CACHE=''
  while [ $# -gt 0 ]; do
    case $1 in
      --cache) CACHE=${2:-} && shift ;;
      --unpack) force=1 ;;
      *) die "unknown argument $1; --cache DIR [--unpack]" ;;
    esac
    shift
  done
  [ -n "$CACHE" ] || die "--cache DIR"
  if [ -n "$own" ] && [ -z "$force" ]; then
    printf '%s\n' "$own"
    return
  fi
  mkdir -p "$CACHE"
  CACHE=$(readlink -f "$CACHE")
  program=$CACHE/$package/$package
  # on standard output stands the program, and nothing else
  lock_cache >&2
  prepare_apt >&2
  version=$(candidate "$package")
  [ -n "$version" ] || lack "there is no $package in Debian's archive for this machine"
  { is_stamped "$CACHE/$package" "$version" && runs "$program"; } || unpack_program "$version" >&2
  runs "$program" || die "what was unpacked does not run: $program --version says why"
  printf '%s\n' "$program"
}
