# shellcheck shell=bash
# The processes of one private farm: started in sessions of their own, known by pid files that cannot be mistaken,
# ended in steps.
#
# In:  FARM (the farm's real directory), RUN (its directory of sockets and pid files).
# Out: processes, and RUN/NAME.pid: "pid start-time boot-id".
# It knows nothing of what the processes are for. Sourced, never run.

# process_start PID: prints the process's start time (clock ticks since boot); fails when it is gone or a zombie.
# The pair (pid, start time) names a process for good within one boot; a pid alone is soon somebody else's.
process_start() {
  local stat
  local -a fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  # Fields from the third on: the second, the command's name, may hold blanks and parentheses.
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]:-Z} != [ZX] ]] || return 1
  printf '%s\n' "${fields[19]}"
}

# pid_of NAME: prints the pid of the farm's process of that name; fails when it does not run.
pid_of() {
  local pid start boot
  { read -r pid start boot <"$RUN/$1.pid"; } 2>/dev/null || return 1
  [ "$boot" = "$(</proc/sys/kernel/random/boot_id)" ] || return 1
  [ "$(process_start "$pid")" = "$start" ] || return 1
  printf '%s\n' "$pid"
}

is_alive() { pid_of "$1" >/dev/null; }

# farm_is_running: all of the farm, so that it can be used as it is; a web server it need not have.
farm_is_running() { is_alive postgres && is_alive master && is_alive slave; }

# farm_has_processes: any of it, so that there is something to stop.
farm_has_processes() { is_alive postgres || is_alive master || is_alive slave || is_alive web; }

# start_process NAME OUTPUT COMMAND…: in a session of its own, so that Ctrl+C at the terminal reaches only the script,
# which then stops everything in order. What it prints is appended to OUTPUT.
start_process() {
  local name=$1 output=$2 pid
  shift 2
  # A shell's background processes ignore SIGINT and SIGQUIT, and so would every build below the slave.
  PIW_FARM=$FARM setsid env --default-signal=INT,QUIT "$@" </dev/null >>"$output" 2>&1 9>&- &
  pid=$!
  disown "$pid"
  printf '%s %s %s\n' "$pid" "$(process_start "$pid")" "$(</proc/sys/kernel/random/boot_id)" >"$RUN/$name.pid"
}

# stop_process NAME (SIGNAL SECONDS)…: sends each signal in turn, waiting that long for the end after it.
stop_process() {
  local name=$1 pid until
  shift
  while [ $# -gt 0 ] && pid=$(pid_of "$name"); do
    kill -s "$1" "$pid" 2>/dev/null || true
    until=$(($(date +%s) + $2))
    while is_alive "$name" && [ "$(date +%s)" -lt "$until" ]; do sleep 0.1; done
    shift 2
  done
  if is_alive "$name"; then
    return 1
  fi
  rm -f "$RUN/$name.pid"
}

# leftover_pids: processes of ours that bear the farm's mark, or whose home is a build's directory: nothing of a
# farm may outlive it. Reads environments, since a build may leave its session and its parent.
leftover_pids() {
  local proc entry
  local -a environment
  for proc in /proc/[0-9]*; do
    mapfile -d '' environment 2>/dev/null <"$proc/environ" || continue
    for entry in "${environment[@]}"; do
      case $entry in
        "PIW_FARM=$FARM" | "HOME=$FARM/slave/"* | "TMPDIR=$FARM/slave/"*)
          process_start "${proc#/proc/}" >/dev/null && printf '%s\n' "${proc#/proc/}"
          break
          ;;
      esac
    done
  done 2>/dev/null
}

# end_leftovers: kills them, with a line for each; fails when something stays.
end_leftovers() {
  local pid pids tries
  for tries in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(leftover_pids)
    [ -n "$pids" ] || return 0
    for pid in $pids; do
      [ "$tries" -gt 1 ] || say "Ending a process that was left over: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-80)"
      kill -KILL "$pid" 2>/dev/null || true
    done
    sleep 0.2
  done
  return 1
}
