// The search: names of projects by how they begin. They stand in small files, cut by their first letters
// (names/PREFIX.json, [[name, bits of its downloads in 30 days], ...]); shards.json says which there are.
"use strict";

(() => {
  const SHOWN = 50;
  // files asked for at once for one search: what is typed first is short, and a few files show that there is more
  const FILES = 6;

  const form = document.getElementById("search");
  const field = document.getElementById("name");
  const status = document.getElementById("status");
  const list = document.getElementById("results");
  const note = document.getElementById("no-script");

  let index = null;
  const files = new Map();
  let turn = 0;

  const read = async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(path + " is answered with " + answer.status);
    return answer.json();
  };

  // a failure is not kept: the next letter tries again
  const kept = (path) => {
    if (!files.has(path)) {
      const promise = read(path);
      promise.catch(() => files.delete(path));
      files.set(path, promise);
    }
    return files.get(path);
  };

  // PEP 503: what is typed may be spelled as its author does
  const canonical = (typed) => typed.trim().toLowerCase().replace(/[-_.]+/g, "-").replace(/^-|[^a-z0-9-]/g, "");

  const find = async (typed) => {
    if (index === null) index = await read("shards.json");
    const shards = index.shards.filter((shard) => shard.startsWith(typed) || typed.startsWith(shard));
    const some = shards.slice(0, FILES);
    let parts;
    try {
      parts = await Promise.all(some.map((shard) => kept("names/" + (shard || "_") + ".json")));
    } catch (error) {
      // the files may have been cut anew since the index was read
      index = null;
      files.clear();
      throw error;
    }
    const names = index.names.concat(...parts).filter(([name]) => name.startsWith(typed));
    names.sort(([a, some], [b, others]) =>
      (b === typed) - (a === typed) || others - some || (a < b ? -1 : a > b ? 1 : 0));
    return { names, more: shards.length > some.length };
  };

  const link = (name) => {
    const anchor = document.createElement("a");
    anchor.href = "../project/" + name + "/";
    anchor.textContent = name;
    return anchor;
  };

  const popularity = (bits) =>
    bits === 0 ? "no downloads in 30 days" :
    bits === 1 ? "1 download in 30 days" :
    "about " + (2 ** (bits - 1)).toLocaleString("en") + " downloads in 30 days";

  const show = (typed, names, more) => {
    list.replaceChildren(...names.slice(0, SHOWN).map(([name, bits]) => {
      const item = document.createElement("li");
      const hint = document.createElement("span");
      hint.className = "muted";
      hint.textContent = popularity(bits);
      item.append(link(name), " ", hint);
      return item;
    }));
    if (names.length === 0) {
      status.replaceChildren("There are no wheels of a project whose name begins with “" + typed + "”. If builds of it failed, ");
      const anchor = link(typed);
      anchor.textContent = "its page";
      status.append(anchor, " says why.");
    } else if (names.length > SHOWN || more) {
      status.textContent = "The first " + Math.min(SHOWN, names.length) + " that begin with “" + typed + "”; type more to see fewer.";
    } else {
      status.textContent = names.length + (names.length === 1 ? " project begins with “" : " projects begin with “") + typed + "”.";
    }
  };

  const search = async () => {
    const typed = canonical(field.value);
    const mine = ++turn;
    const address = new URL(location.href);
    if (typed) address.searchParams.set("q", typed); else address.searchParams.delete("q");
    history.replaceState(null, "", address);
    if (!typed) {
      list.replaceChildren();
      status.textContent = "";
      return;
    }
    try {
      const { names, more } = await find(typed);
      if (mine === turn) show(typed, names, more);
    } catch (error) {
      if (mine !== turn) return;
      list.replaceChildren();
      status.textContent = "The names cannot be read just now; type on to try again.";
    }
  };

  field.addEventListener("input", search);
  // Enter goes to the project that is named exactly, or to the only one there is
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await search();
    const links = list.querySelectorAll("a");
    if (links.length === 1 || (links.length > 0 && links[0].textContent === canonical(field.value))) links[0].click();
  });
  // arrows walk through what was found
  form.parentElement.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [field, ...list.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (at >= 0 && next) {
      event.preventDefault();
      next.focus();
    }
  });

  note.hidden = true;
  form.hidden = false;
  field.value = new URL(location.href).searchParams.get("q") || "";
  if (field.value) search();
  field.focus();
})();
