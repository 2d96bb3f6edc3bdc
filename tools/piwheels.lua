-- The farm's protocol for Wireshark and tshark: wire-spec/, version 2, all channels.
--
--   tshark -X lua_script:tools/piwheels.lua -i lo -f 'tcp port 5555 or tcp port 5556' -Y piwheels
--   wireshark -X lua_script:tools/piwheels.lua capture.pcapng
--
-- Connections are known by their preamble, on any port that Wireshark does not know as another protocol's (there, too, with
-- -o tcp.try_heuristic_first:TRUE); one whose beginning was not captured, by the ports of the preferences. Unix sockets are
-- no network: put a relay before them (CONTRIBUTING.md, "Watch the wire").
--
-- Every message is piwheels.CHANNEL.MESSAGE, every field that and its name: piwheels.slave.build.package. A list's value is
-- the number of its entries; an option that lacks its value is FIELD.absent. A seal is shown, not checked: that takes the key.
--
-- Lua as in Wireshark 4.0 (5.2) and later (5.4): nothing that only one of them has.

local VERSION = 2
local MAGIC = "PIWH"
local PREAMBLE_BYTES, LENGTH_BYTES, CRC_BYTES, SEAL_BYTES = 8, 4, 4, 24

local piwheels = Proto("piwheels", "piwheels farm")

-- What a value may be. Each type has a kind; see `readers`.

local function number(kind) return { kind = kind } end
local U8, U16, U32, U64, I16, I64 =
  number("u8"), number("u16"), number("u32"), number("u64"), number("i16"), number("i64")
local BOOL, BUILD = { kind = "bool" }, { kind = "build" }
local function bytes(length) return { kind = "bytes", length = length } end
local ID, BYTES32 = bytes(16), bytes(32)
local function text(limit) return { kind = "text", limit = limit } end
local function blob(limit) return { kind = "blob", limit = limit } end
local function list(of, limit) return { kind = "list", of = of, limit = limit } end
local function option(of) return { kind = "option", of = of } end
-- { name, type, name, type, … }
local function group(fields) return { kind = "group", fields = fields } end
local function code(first, ...)
  local names = {}
  for place, name in ipairs({ ... }) do names[first + place - 1] = name end
  return { kind = "code", names = names }
end

local TOKEN = group { "build", BUILD, "secret", ID }

-- slave.md

local WALL = code(0, "namespaces", "read-only", "net-off", "no-new-privileges", "seccomp", "landlock", "cgroup-memory",
  "cgroup-pids", "cgroup-cpu", "rlimits", "tree-kill")
local BOARD = group { "machine", text(100), "os", text(200), "walls", list(WALL, 32) }
local VITALS = group { "load1_centi", U32, "cpus", U16, "memory_total", U64, "memory_free", U64, "disk_total", U64,
  "disk_free", U64, "temperature", option(I16), "clock_ms", U64, "throttled", option(BOOL) }
local FILE = group { "filename", text(240), "size", U64, "sha256", BYTES32 }
local END = code(0, "built", "failed", "timeout", "no-sdist", "bad-wheel", "cancelled", "silence", "network",
  "out-of-memory", "disk", "log-limit", "wheel-limit", "disk-limit", "process-limit")
local REPORT = group { "interpreter", text(200), "pip", text(64), "pip_arguments", text(1000), "compiler", text(200),
  "sdist", option(FILE), "requirements", list(text(200), 100), "peak_memory", U64, "cpu_ms", U64,
  "apt", list(text(100), 64) }
local HELD = group { "token", TOKEN, "state", code(0, "building", "built") }

-- import.md

local MIB = 1048576
local DOWNLOAD = group { "filename", text(240), "at", I64, "address", option(ID), "arch", text(100), "distro_name", text(100),
  "distro_version", text(100), "os_name", text(100), "os_version", text(100), "py_name", text(100), "py_version", text(100),
  "installer_name", text(100), "installer_version", text(100), "setuptools_version", text(100) }
local ITEM = group { "package", text(200), "specifiers", text(200), "extras", text(200) }
local NAMES = list(text(255), 500)

-- status.md

local MODE = code(0, "running", "paused", "draining", "stopping", "held")
local REASON = group { "since_ms", U64, "text", text(1000) }
local HEALTH = group { "schema", U32,
  "disks", list(group { "path", text(4096), "size", U64, "free", U64, "inodes", option(U64), "inodes_free", option(U64) }, 2),
  "disk_floor", U64, "disk_promised", U64, "disk_trouble", option(text(1000)), "held", option(REASON),
  "paused", option(REASON), "unseated_ms", option(U64), "absent", U32, "expired", U64, "expired_last_hour", U32,
  "tasks", list(group { "name", text(64), "well_ms", option(U64) }, 32),
  "errors", list(group { "at_ms", U64, "text", text(1000) }, 10) }
local DOING = code(0, "greeting", "returning", "idle", "asking", "asleep", "building", "delivering", "leaving")
local SHOWN = group { "slave_id", U32, "label", text(64), "peer", text(100), "abi", text(64), "platform", text(64),
  "python", text(64), "board", option(BOARD), "doing", DOING, "since_ms", U64, "heard_ms", U64, "connected_ms", U64,
  "job", option(group { "build", BUILD, "package", text(200), "version", text(200) }), "vitals", option(VITALS),
  "clock_offset_ms", option(I64), "holds_back", option(text(200)), "resting", BOOL, "kill_pending", BOOL,
  "skipping", BOOL }
local SAMPLE = group { "load_percent", U16, "memory_percent", U16, "temperature", option(I16) }
local NUMBERS = group { "at_ms", U64, "queued", U64, "unchecked", U64, "delayed", U64, "pages_due", U64,
  "pages_waiting_secs", U64, "builds_last_hour", U64, "builds", U64, "builds_ok", U64, "published", U64, "files", U64 }
local FOLLOW = group { "mode", text(64), "lag_secs", option(U64), "trouble", option(text(1000)) }

-- auth.md: on the slave and the file channel, and never sealed.

local AUTH = {
  [0x71] = { "AUTH", group { "name", text(64), "nonce", BYTES32 } },
  [0x72] = { "PROOF", group { "proof", BYTES32 } },
  [0xf1] = { "CHALLENGE", group { "nonce", BYTES32, "proof", BYTES32 } },
  [0xf2] = { "REFUSED", group { "reason", text(1000) } },
}

local CHANNELS = {
  [1] = { name = "slave", limit = 65536, seals = true, messages = {
    [0x01] = { "HELLO", group { "software", text(64), "label", text(64), "timeout_secs", U32, "python_tag", text(64),
      "abi_tag", text(64), "platform_tag", text(64), "board", BOARD, "held", option(HELD) } },
    [0x02] = { "IDLE", group {} },
    [0x03] = { "BUSY", group { "vitals", VITALS, "holds_back", option(text(200)) } },
    [0x04] = { "LOG", group { "offset", U64, "data", blob(32768) } },
    [0x05] = { "BUILT", group { "token", TOKEN, "end", END, "duration_ms", U64, "log_bytes", U64, "files", list(FILE, 64),
      "report", REPORT } },
    [0x06] = { "SENT", group { "index", U16 } },
    [0x07] = { "BYE", group { "reason", text(1000) } },
    [0x81] = { "HELLO", group { "slave_id", U32, "index_url", text(2000), "resume", code(0, "none", "go-on", "drop"),
      "log_from", U64, "log_limit", U64 } },
    [0x82] = { "SLEEP", group { "seconds", U16 } },
    [0x83] = { "WAKE", group {} },
    [0x84] = { "BUILD", group { "token", TOKEN, "package", text(200), "version", text(200), "build_tag", U64 } },
    [0x85] = { "SEND", group { "index", U16, "transfer", ID } },
    [0x86] = { "DONE", group { "build", BUILD } },
    [0x87] = { "BYE", group { "reason", text(1000) } },
    [0x88] = { "CANCEL", group { "build", BUILD } },
  } },
  [2] = { name = "file", limit = 262208, seals = true, messages = {
    [0x01] = { "HELLO", group { "transfer", ID } },
    [0x02] = { "CHUNK", group { "offset", U64, "data", blob(262144) } },
    [0x81] = { "FETCH", group { "offset", U64, "length", U32 } },
    [0x82] = { "DONE", group {} },
  } },
  [3] = { name = "import", limit = 16 * MIB, messages = {
    [0x01] = { "ADD", group { "items", list(ITEM, 5000), "with_deps", BOOL } },
    [0x02] = { "WHY", group { "package", text(200), "version", text(200) } },
    [0x03] = { "ABI_ADD", group { "abi", text(64), "rank", option(I16), "platforms", list(text(64), 16) } },
    [0x04] = { "ABI_LIST", group {} },
    [0x05] = { "SKIP", group { "package", text(200), "version", text(200), "abi", text(64), "reason", text(1000) } },
    [0x06] = { "UNSKIP", group { "package", text(200), "version", text(200), "abi", text(64) } },
    [0x07] = { "BLOCK", group { "pattern", text(200), "reason", text(1000) } },
    [0x08] = { "UNBLOCK", group { "pattern", text(200) } },
    [0x09] = { "POLICY", group { "name", text(64), "value", option(text(1000)), "reason", text(1000) } },
    [0x0a] = { "POLICIES", group {} },
    [0x0b] = { "ABI_RETIRE", group { "abi", text(64), "reason", text(1000) } },
    [0x0c] = { "REQUEUE", group { "package", text(200), "version", text(200), "abi", text(64), "outcome", text(64) } },
    [0x0d] = { "STATISTICS", group {} },
    [0x0e] = { "AUDIT", group { "mend", BOOL } },
    [0x0f] = { "FEED", group {} },
    [0x10] = { "DOWNLOADS", group { "batch", ID, "records", list(DOWNLOAD, 500) } },
    [0x11] = { "REBUILD", group { "what", code(1, "home", "project", "index", "all"), "names", list(text(200), 5000) } },
    [0x14] = { "TREE", group {} },
    [0x15] = { "AUDIT_PROJECTS", group { "after", text(200), "limit", U16 } },
    [0x16] = { "AUDIT_PROJECT", group { "project", text(200), "after", text(255), "limit", U16 } },
    [0x17] = { "AUDIT_STRANGERS", group { "names", NAMES } },
    [0x18] = { "AUDIT_BUILDS", group { "builds", list(BUILD, 500) } },
    [0x19] = { "WITHHOLD", group { "filename", text(255), "reason", option(text(1000)) } },
    [0x1a] = { "SWEEP", group { "project", text(200), "names", NAMES } },
    [0x1b] = { "UNPACK_METADATA", group { "filename", text(240), "sha256", BYTES32 } },
    [0x1c] = { "AUDIT_ROOT", group { "after", text(200), "limit", U16 } },
    [0x20] = { "IMPORT", group { "package", text(200), "version", text(200), "abi", text(64), "duration_ms", U64,
      "output", blob(8 * MIB), "files", list(FILE, 64), "create", BOOL } },
    [0x21] = { "CHUNK", group { "offset", U64, "data", blob(262144) } },
    [0x22] = { "REMOVE", group { "package", text(200), "version", text(200),
      "what", code(1, "files", "builds", "yank", "unyank"), "skip", option(text(1000)), "reason", text(1000) } },
    [0x81] = { "DONE", group { "json", text(16777152) } },
    [0x82] = { "ERROR", group { "reasons", list(text(1000), 5000) } },
    [0xa0] = { "SEND", group { "index", U16 } },
    [0xa1] = { "FETCH", group { "offset", U64, "length", U32 } },
  } },
  [4] = { name = "status", limit = 65536, messages = {
    [0x01] = { "HELLO", group {} },
    [0x02] = { "SUBSCRIBE", group { "slave", option(U32) } },
    [0x81] = { "HELLO", group { "software", text(64), "started_ms", U64, "wall_ms", U64, "mode", MODE } },
    [0x82] = { "SLAVE", group { "slave", SHOWN } },
    [0x83] = { "STATS", group { "mode", MODE, "connected", U32, "building", U32, "idle", U32, "queued", U64,
      "transfers", U32, "bytes_in_flight", U64, "builds_ok", U64, "builds_failed", U64, "refusals", U64, "log_bytes", U64 } },
    [0x84] = { "GONE", group { "slave_id", U32 } },
    [0x85] = { "TREND", group { "slave_id", U32, "samples", list(SAMPLE, 60) } },
    [0x86] = { "RECORDED", group { "build", BUILD, "package", text(200), "version", text(200), "abi", text(64),
      "slave", text(64), "outcome", text(64), "duration_ms", U64, "at_ms", U64 } },
    [0x87] = { "OUTCOMES", group { "counts", list(group { "outcome", text(64), "count", U64 }, 32) } },
    [0x88] = { "FARM", group { "numbers", option(NUMBERS), "database_silent_ms", option(U64), "machine", option(VITALS),
      "pages_failing", U32, "pages_trouble", option(text(1000)), "follow", FOLLOW } },
    [0x8a] = { "HEALTH", group { "health", HEALTH } },
    [0x89] = { "LOG", group { "slave_id", U32, "build", BUILD, "offset", U64, "data", blob(32768) } },
  } },
  [5] = { name = "control", limit = 65536, messages = {
    [0x01] = { "PAUSE", group {} },
    [0x02] = { "RESUME", group {} },
    [0x03] = { "KILL", group { "slave", option(U32), "when", code(0, "next-idle", "now") } },
    [0x04] = { "SKIP", group { "slave", U32 } },
    [0x05] = { "SLEEP", group { "slave", option(U32) } },
    [0x06] = { "WAKE", group { "slave", option(U32) } },
    [0x07] = { "QUIT", group { "how", code(0, "drain", "now") } },
    [0x08] = { "KEYS", group {} },
    [0x81] = { "DONE", group { "affected", U32 } },
    [0x82] = { "ERROR", group { "reason", text(1000) } },
  } },
}

-- What the packet list says of a message: these of its fields.
local TELLING = {}
for _, name in ipairs({ "package", "version", "label", "name", "reason", "end", "index", "seconds", "offset", "length",
  "outcome", "resume", "mode", "pattern", "project", "filename", "build", "slave_id", "affected", "what" }) do
  TELLING[name] = true
end

-- Wireshark's fields: one for each field of each message, by its path.

local channel_names = {}
for id, channel in pairs(CHANNELS) do channel_names[id] = channel.name end

local own = {
  magic = ProtoField.string("piwheels.preamble.magic", "Magic"),
  version = ProtoField.uint16("piwheels.preamble.version", "Version"),
  preamble_channel = ProtoField.uint8("piwheels.preamble.channel", "Channel", base.DEC, channel_names),
  zero = ProtoField.uint8("piwheels.preamble.zero", "Zero"),
  channel = ProtoField.uint8("piwheels.channel", "Channel", base.DEC, channel_names),
  to_master = ProtoField.bool("piwheels.to_master", "To the master"),
  length = ProtoField.uint32("piwheels.length", "Length"),
  tag = ProtoField.uint8("piwheels.tag", "Tag", base.HEX),
  message = ProtoField.string("piwheels.message", "Message"),
  payload = ProtoField.bytes("piwheels.payload", "Payload"),
  seal = ProtoField.none("piwheels.seal", "Seal"),
  seq = ProtoField.uint64("piwheels.seal.seq", "Sequence number"),
  mac = ProtoField.bytes("piwheels.seal.mac", "First half of the HMAC"),
  crc = ProtoField.uint32("piwheels.crc", "CRC-32", base.HEX),
  crc_status = ProtoField.uint8("piwheels.crc.status", "CRC-32 status", base.DEC, { [0] = "bad", [1] = "good", [2] = "not checked" }),
}

local MAKERS = {
  u8 = ProtoField.uint8, u16 = ProtoField.uint16, u32 = ProtoField.uint32, u64 = ProtoField.uint64,
  i16 = ProtoField.int16, i64 = ProtoField.int64, build = ProtoField.uint64, bool = ProtoField.bool,
  bytes = ProtoField.bytes, blob = ProtoField.bytes, text = ProtoField.string, group = ProtoField.none,
  list = ProtoField.uint16,
}

local fields, all_fields = {}, {}
for _, field in pairs(own) do table.insert(all_fields, field) end

local function register(path, name, of)
  if of.kind == "option" then
    local absent = path .. ".absent"
    if not fields[absent] then
      fields[absent] = ProtoField.none(absent, name)
      table.insert(all_fields, fields[absent])
    end
    register(path, name, of.of)
    return
  end
  if not fields[path] then
    if of.kind == "code" then
      fields[path] = ProtoField.uint8(path, name, base.DEC, of.names)
    else
      fields[path] = MAKERS[of.kind](path, name)
    end
    table.insert(all_fields, fields[path])
  end
  if of.kind == "list" then
    if of.of.kind == "group" then
      register(path .. ".entry", name, group {})
      -- an entry's fields are the list's: files.filename
      for place = 1, #of.of.fields, 2 do
        register(path .. "." .. of.of.fields[place], of.of.fields[place], of.of.fields[place + 1])
      end
    else
      register(path .. ".entry", name, of.of)
    end
  elseif of.kind == "group" then
    for place = 1, #of.fields, 2 do
      register(path .. "." .. of.fields[place], of.fields[place], of.fields[place + 1])
    end
  end
end

local function message_path(channel_name, message) return "piwheels." .. channel_name .. "." .. message[1]:lower() end

local function register_all(channel_name, messages)
  for _, message in pairs(messages) do register(message_path(channel_name, message), message[1], message[2]) end
end

register_all("auth", AUTH)
for _, channel in pairs(CHANNELS) do register_all(channel.name, channel.messages) end
piwheels.fields = all_fields

local bad_crc = ProtoExpert.new("piwheels.crc.bad", "The checksum does not fit", expert.group.CHECKSUM, expert.severity.ERROR)
local malformed = ProtoExpert.new("piwheels.malformed", "Not as the protocol has it", expert.group.MALFORMED, expert.severity.ERROR)
local unknown_tag = ProtoExpert.new("piwheels.unknown_tag", "No such message on this channel", expert.group.UNDECODED, expert.severity.WARN)
local unknown_channel = ProtoExpert.new("piwheels.unknown_channel", "The preamble was not captured: which channel is not known",
  expert.group.UNDECODED, expert.severity.NOTE)
piwheels.experts = { bad_crc, malformed, unknown_tag, unknown_channel }

-- Preferences

piwheels.prefs.slave_ports = Pref.range("Ports of the slave channel", "5555", "For connections whose beginning is missing", 65535)
piwheels.prefs.file_ports = Pref.range("Ports of the file channel", "5556", "For connections whose beginning is missing", 65535)
piwheels.prefs.check_crc = Pref.bool("Check CRC-32", true, "Takes a sixth of a second for each megabyte")

local function in_range(ranges, port)
  for from, to in string.gmatch(tostring(ranges), "(%d+)%-?(%d*)") do
    if port >= tonumber(from) and port <= (tonumber(to) or tonumber(from)) then return true end
  end
  return false
end

-- Reading values. `at` walks through the payload; what is wrong with it is thrown as { what, offset }.

local function fail(what, offset) error({ what = what, offset = offset }, 0) end

local function take(at, length)
  if at.offset + length > at.finish then fail("is cut off", at.offset) end
  local range = at.tvb(at.offset, length)
  at.offset = at.offset + length
  return range
end

local function take_bool(at)
  local value = take(at, 1):uint()
  if value > 1 then fail("is neither 0 nor 1", at.offset - 1) end
  return value == 1
end

-- Control characters but tab and newline, those of U+0080 to U+009F included.
local function has_controls(value)
  return value:find("[\0-\8\11-\31\127]") ~= nil or value:find("\194[\128-\159]") ~= nil
end

-- RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
local UTF8 = { "^[\194-\223][\128-\191]", "^\224[\160-\191][\128-\191]", "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]", "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]", "^\244[\128-\143][\128-\191][\128-\191]" }

local function is_utf8(value)
  local at = value:find("[\128-\255]")
  while at do
    local last
    for _, form in ipairs(UTF8) do
      last = last or select(2, value:find(form, at))
    end
    if not last then return false end
    at = value:find("[\128-\255]", last + 1)
  end
  return true
end

-- What a build printed, for the tree: the beginning of its first line.
local function glimpse(value)
  local line = value:sub(1, 200):match("[^\n]*")
  return (line:gsub("[^\32-\126]", "."))
end

local readers = {}
local read

local function simple(length)
  return function(at, tree, path)
    local range = take(at, length)
    return tree:add(fields[path], range), range
  end
end
readers.u8, readers.u16, readers.u32, readers.u64 = simple(1), simple(2), simple(4), simple(8)
readers.i16, readers.i64 = simple(2), simple(8)

function readers.build(at, tree, path)
  local range = take(at, 8)
  local item = tree:add(fields[path], range)
  if range(0, 1):uint() > 0x7f or range(0, 4):uint() + range(4, 4):uint() == 0 then fail("is not positive", at.offset - 8) end
  return item, range
end

function readers.bool(at, tree, path)
  local item = tree:add(fields[path], at.tvb(at.offset, math.min(1, at.finish - at.offset)))
  take_bool(at)
  return item
end

function readers.code(at, tree, path, of)
  local range = take(at, 1)
  local item = tree:add(fields[path], range)
  if not of.names[range:uint()] then fail("has no such value", at.offset - 1) end
  return item, of.names[range:uint()]
end

function readers.bytes(at, tree, path, of) return tree:add(fields[path], take(at, of.length)) end

function readers.text(at, tree, path, of)
  local counted = take(at, of.limit > 65535 and 4 or 2)
  if counted:uint() > of.limit then fail("is too long", at.offset) end
  if counted:uint() == 0 then return tree:add(fields[path], counted, ""), "" end
  local range = take(at, counted:uint())
  local item = tree:add_packet_field(fields[path], range, ENC_UTF_8)
  local value = range:raw()
  if not is_utf8(value) then fail("is not UTF-8", at.offset) end
  if has_controls(value) then fail("has control characters", at.offset) end
  return item, value
end

function readers.blob(at, tree, path, of)
  local counted = take(at, 4)
  if counted:uint() > of.limit then fail("is too long", at.offset) end
  if counted:uint() == 0 then
    -- Wireshark has no empty bytes: the length stands for them
    local item = tree:add(fields[path], counted)
    item:set_text(path:match("[^.]*$") .. ": no bytes")
    return item
  end
  local range = take(at, counted:uint())
  local item = tree:add(fields[path], range)
  item:append_text(string.format(" (%d bytes) %s", range:len(), glimpse(range:raw(0, math.min(200, range:len())))))
  return item
end

function readers.option(at, tree, path, of)
  if not take_bool(at) then
    local item = tree:add(fields[path .. ".absent"], at.tvb(at.offset - 1, 1))
    item:set_text(path:match("[^.]*$") .. ": none")
    return item
  end
  return read(at, tree, path, of.of)
end

local function read_fields(at, tree, path, of, told)
  for place = 1, #of.fields, 2 do
    local name = of.fields[place]
    at.name = at.depth == 0 and name or at.name
    at.depth = at.depth + 1
    local _, value = read(at, tree, path .. "." .. name, of.fields[place + 1])
    at.depth = at.depth - 1
    if told and value and TELLING[name] then
      value = type(value) == "string" and value or tostring(of.fields[place + 1].kind:match("64") and value:uint64() or
        of.fields[place + 1].kind == "build" and value:uint64() or value:uint())
      if value ~= "" then table.insert(told, #value > 60 and value:sub(1, 57) .. "…" or value) end
    end
  end
end

function readers.group(at, tree, path, of)
  local from = at.offset
  local item = tree:add(fields[path], at.tvb(from, at.finish - from))
  read_fields(at, item, path, of)
  item:set_len(at.offset - from)
  return item
end

function readers.list(at, tree, path, of)
  local counted = take(at, 2)
  local item = tree:add(fields[path], counted)
  if counted:uint() > of.limit then fail("has too many entries", at.offset - 2) end
  for _ = 1, counted:uint() do
    if of.of.kind == "group" then
      local from = at.offset
      local entry = item:add(fields[path .. ".entry"], at.tvb(from, at.finish - from))
      read_fields(at, entry, path, of.of)
      entry:set_len(at.offset - from)
    else
      read(at, item, path .. ".entry", of.of)
    end
  end
  return item
end

read = function(at, tree, path, of)
  return readers[of.kind](at, tree, path, of)
end

-- CRC-32 (IEEE 802.3)

-- Wireshark brings it to every Lua
local band, bxor, rshift = bit.band, bit.bxor, bit.rshift
local crc_table = {}
for n = 0, 255 do
  local c = n
  for _ = 1, 8 do
    if band(c, 1) == 1 then c = bxor(rshift(c, 1), 0xedb88320) else c = rshift(c, 1) end
  end
  crc_table[n] = c
end

local function crc32(data)
  local c = 0xffffffff
  for from = 1, #data, 64 do
    for _, b in ipairs({ data:byte(from, from + 63) }) do
      c = bxor(rshift(c, 8), crc_table[band(bxor(c, b), 0xff)])
    end
  end
  return bxor(c, 0xffffffff) % 4294967296
end

-- Connections: which channel each is of, by the number of its TCP stream.

local stream_of = Field.new("tcp.stream")
local channels_of = {}

function piwheels.init() channels_of = {} end

local function channel_of(pinfo)
  local known = channels_of[stream_of().value]
  if known then return known end
  for id, ports in pairs({ piwheels.prefs.slave_ports, piwheels.prefs.file_ports }) do
    if in_range(ports, pinfo.src_port) or in_range(ports, pinfo.dst_port) then return id end
  end
end

-- Into the packet list. A packet may be shown in several calls, and again later: what stands there already says which it is.
local said

local function tell(pinfo, what)
  if said and tostring(pinfo.cols.info) == said then
    pinfo.cols.info:append(", " .. what)
  else
    pinfo.cols.info = string.format("%d → %d | %s", pinfo.src_port, pinfo.dst_port, what)
  end
  pinfo.cols.info:fence()
  said = tostring(pinfo.cols.info)
end

-- Each returns how many bytes it took, or none and how many more it needs.

local function dissect_preamble(tvb, pinfo, tree, offset)
  local have = tvb:len() - offset
  if have < PREAMBLE_BYTES then return nil, PREAMBLE_BYTES - have end
  local range = tvb(offset, PREAMBLE_BYTES)
  local item = tree:add(piwheels, range, "piwheels, preamble")
  item:add(own.magic, range(0, 4))
  item:add(own.version, range(4, 2))
  item:add(own.preamble_channel, range(6, 1))
  item:add(own.zero, range(7, 1))
  local version, id = range(4, 2):uint(), range(6, 1):uint()
  if version ~= VERSION or not CHANNELS[id] or range(7, 1):uint() ~= 0 then
    item:add_proto_expert_info(malformed, "a preamble of another version, or of no channel")
  else
    channels_of[stream_of().value] = channels_of[stream_of().value] or id
    item:append_text(", " .. CHANNELS[id].name .. " channel")
  end
  tell(pinfo, "preamble" .. (CHANNELS[id] and " " .. CHANNELS[id].name or ""))
  return PREAMBLE_BYTES
end

-- Fields and seal of a message whose name is known.
local function dissect_fields(tvb, item, offset, finish, path, message, may_be_sealed)
  local at = { tvb = tvb, offset = offset, finish = finish, depth = 0 }
  local told = {}
  local sound, wrong = pcall(read_fields, at, item, path, message[2], told)
  if not sound then
    if type(wrong) ~= "table" then error(wrong, 0) end
    item:add_proto_expert_info(malformed, string.format("%s: %s %s", message[1], at.name or "?", wrong.what))
    return told
  end
  local left = finish - at.offset
  if left == SEAL_BYTES and may_be_sealed then
    local range = tvb(at.offset, SEAL_BYTES)
    local seal = item:add(own.seal, range)
    seal:add(own.seq, range(0, 8))
    seal:add(own.mac, range(8, 16))
    seal:set_text("Seal, sequence number " .. tostring(range(0, 8):uint64()))
  elseif left > 0 then
    item:add(own.payload, tvb(at.offset, left))
    item:add_proto_expert_info(malformed, string.format("%s: %d bytes too many", message[1], left))
  end
  return told
end

local function dissect_frame(tvb, pinfo, tree, offset)
  local have = tvb:len() - offset
  if have < LENGTH_BYTES then return nil, LENGTH_BYTES - have end
  local id = channel_of(pinfo)
  local channel = CHANNELS[id]
  local length = tvb(offset, LENGTH_BYTES):uint()
  if length == 0 or length > (channel and channel.limit or 16 * MIB) then
    local item = tree:add(piwheels, tvb(offset), "piwheels")
    item:add(own.length, tvb(offset, LENGTH_BYTES))
    item:add_proto_expert_info(malformed, length == 0 and "a frame without a tag" or
      string.format("a frame of %d bytes is over this channel's limit, or a frame's beginning was not captured", length))
    tell(pinfo, "no frame")
    return have
  end
  local whole = LENGTH_BYTES + length + CRC_BYTES
  if have < whole then return nil, whole - have end

  local item = tree:add(piwheels, tvb(offset, whole), "piwheels")
  local inside = tvb(offset + LENGTH_BYTES, length)
  local tag = inside(0, 1):uint()
  local is_auth = AUTH[tag] and (not channel or channel.seals)
  local message = is_auth and AUTH[tag] or channel and channel.messages[tag]
  local name = message and message[1] or string.format("tag 0x%02x", tag)
  item:append_text(string.format(", %s channel, %s the master: %s", channel and channel.name or "unknown",
    tag < 0x80 and "to" or "from", name))
  if channel then item:add(own.channel, id):set_generated() end
  item:add(own.to_master, tag < 0x80):set_generated()
  item:add(own.length, tvb(offset, LENGTH_BYTES))
  item:add(own.tag, inside(0, 1)):append_text(" (" .. name .. ")")
  local told = {}
  if message then
    item:add(own.message, name):set_generated()
    local path = message_path(is_auth and "auth" or channel.name, message)
    -- for filters: piwheels.slave.build finds every BUILD
    item:add(fields[path], inside):set_hidden()
    local may_be_sealed = channel and channel.seals and not is_auth and name ~= "CHUNK"
    told = dissect_fields(tvb, item, offset + LENGTH_BYTES + 1, offset + LENGTH_BYTES + length, path, message, may_be_sealed)
  else
    if length > 1 then item:add(own.payload, inside(1)) end
    if channel then
      item:add_proto_expert_info(unknown_tag)
    else
      item:add_proto_expert_info(unknown_channel)
    end
  end
  local crc_range = tvb(offset + LENGTH_BYTES + length, CRC_BYTES)
  local crc = item:add(own.crc, crc_range)
  local status = 2
  if piwheels.prefs.check_crc then
    local right = crc32(inside:raw())
    status = right == crc_range:uint() and 1 or 0
    if status == 0 then
      crc:add_proto_expert_info(bad_crc, string.format("the checksum is 0x%08x and should be 0x%08x", crc_range:uint(), right))
    end
  end
  crc:add(own.crc_status, status):set_generated()
  tell(pinfo, table.concat({ name, table.unpack(told) }, " "))
  return whole
end

function piwheels.dissector(tvb, pinfo, tree)
  -- a capture that keeps only the beginnings of packets has no frames
  if tvb:len() < tvb:reported_len() then return 0 end
  pinfo.cols.protocol = "piwheels"
  local offset = 0
  while offset < tvb:len() do
    local is_preamble = tvb:len() - offset >= 4 and tvb:raw(offset, 4) == MAGIC
    local took, wanted = (is_preamble and dissect_preamble or dissect_frame)(tvb, pinfo, tree, offset)
    if not took then
      pinfo.desegment_offset = offset
      -- of the length alone, more than its rest will follow
      pinfo.desegment_len = tvb:len() - offset < LENGTH_BYTES and DESEGMENT_ONE_MORE_SEGMENT or wanted
      return tvb:len()
    end
    offset = offset + took
  end
  return offset
end

piwheels:register_heuristic("tcp", function(tvb, pinfo, tree)
  if tvb:len() < 4 or tvb:raw(0, 4) ~= MAGIC then return false end
  pinfo.conversation = piwheels
  piwheels.dissector(tvb, pinfo, tree)
  return true
end)

-- The ports of the preferences are this protocol's, preamble or not.
local tcp_ports = DissectorTable.get("tcp.port")
local added = {}

local function listen()
  for _, ports in ipairs(added) do tcp_ports:remove(ports, piwheels) end
  added = {}
  for _, ports in ipairs({ tostring(piwheels.prefs.slave_ports), tostring(piwheels.prefs.file_ports) }) do
    if ports ~= "" then
      tcp_ports:add(ports, piwheels)
      table.insert(added, ports)
    end
  end
end
piwheels.prefs_changed = listen
listen()
