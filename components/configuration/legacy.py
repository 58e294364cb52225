"""Reads a 2015-style `environment.yaml` as if it were a stack's configuration.

Such a file has the maps `common`, `containerhosts`, `containerdefault` and `containers`, tied together with YAML
anchors and merge keys. What the old system did by hook scripts the lab does itself: these hooks are left out, with
a note. The file is untrusted text: odd YAML of any sort becomes faults.

What such a file has no words for stands beside it, in the stack's own configuration, and so may anything else that
it does not say; neither of the two overrules the other.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import yaml
from pydantic_core import PydanticCustomError

from components.configuration.faults import Fault, Keys, Note, one_of, plain, show, suggest
from components.configuration.rules import RoleSpec, find_role
from components.configuration.schema import (
    CommonInput,
    ContainerInput,
    DefaultsInput,
    HostInput,
    StackInput,
    is_key,
    key_names,
    kind,
    names_of_2015,
    odd_key,
    parse_mask,
    unknown_key,
)

LOOPBACK = frozenset({"127.0.0.1", "localhost"})

_TOP = {old: new for old, (new,) in names_of_2015(StackInput).items()}
_GENERATED = "registered_services"
_COMMON = {old: new for old, (new,) in names_of_2015(CommonInput).items()}
_HOST = frozenset({"port", *names_of_2015(HostInput)})
_ITS_OWN = frozenset({"host", "volumes"})
"""Settings of a container that are read in a way of their own."""
_SETTINGS = {old: new for old, (new,) in names_of_2015(DefaultsInput).items() if new not in _ITS_OWN}
_OF_CONTAINER = names_of_2015(ContainerInput)
_HOOKS = {old: path[1] for old, path in _OF_CONTAINER.items() if path[0] == "hooks"}
_CONTAINER = frozenset({"state", *_OF_CONTAINER})
_BESIDE = key_names(StackInput) - {"environment", *_TOP.values()}
"""Keys of a stack that such a file has no word for."""
_TODAY = {
    (): _BESIDE,
    ("common",): key_names(CommonInput),
    ("containerhosts", "*"): key_names(HostInput),
    ("containerdefault",): key_names(DefaultsInput),
    ("containers", "*"): key_names(ContainerInput),
}
"""What each map of the stack's own configuration has that stands for one of the file."""
_CALLED = {path[0]: old for old, path in _OF_CONTAINER.items() if len(path) == 1 and path[0] not in _OF_CONTAINER}
"""What a container's keys of today are called in the file."""
_NEVER_THERE = key_names(ContainerInput) - {path[0] for path in _OF_CONTAINER.values()}
"""Keys of today's containers that stand for nothing in the file."""
_SECRET = re.compile(r".*(password|secret|token|cookie)")
_FIXED = {
    "vip_name": ("vip", "the VIP is called vip"),
    "keystone_admin_user": ("admin", "Keystone's administrator is called admin"),
    "keystone_admin_tenant": ("admin", "the administrator's project is called admin"),
    "haproxy_user": (None, "haproxy has no login"),
    "puppetServer": (None, "the Puppet server is the container of that role"),
}
"""Settings of the old system that are fixed now: the value that changes nothing, and what holds."""

_FORGOTTEN_SECRETS = {
    "haproxy_password": "haproxy has no login",
    "keystone_admin_token": "Keystone has no admin token any more",
}
_GONE = {
    "ifmap": "OpenSDN has its configuration in Cassandra and RabbitMQ since 2017",
    "discovery": "OpenSDN's programs are told of each other by their settings since 2017",
}
"""Images of the old system whose services there are no longer, by their names: why."""
_REGISTER, _CREATE_CERTIFICATE = "registerService.py", "createcert.sh"
_ACTIONS = frozenset(
    ("add", "adddns", "addnode", "delcert", "del", "deldns", "delnode", "getconfig", "haproxy", "remove")
)
_RUNNERS = frozenset(("sudo", "env", "sh", "bash", "python", "python2", "python2.7", "python3"))
_SHELL_OPERATORS = re.compile(r"&&|\|\||[;|&\n<>`]|\$\(")
_MOST_NODES = 50_000
_TAB_BEFORE_COMMENT = re.compile(r"[ \t]*\t[ \t]*(?=#|$)", re.MULTILINE)


def stands_for_ours(source: str) -> bool:
    """Whether a volume with this source stands for what our roles mount anyway, unless the host has it."""
    return source.startswith("/dockervolumes/")


class _Keys(Keys):
    """Turns places of a stack's configuration into those of the file, unless the stack's own has or could have them."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{plain(file)}:")
        self.moved: dict[tuple[str | int, ...], tuple[str | int, ...]] = {
            (new,): (old,) for old, new in _TOP.items() if old != new
        }
        self.own: set[tuple[str | int, ...]] = {(name,) for name in _BESIDE}
        """Places of the stack's own configuration, with all that is below them."""

    def path(self, parts: tuple[str | int, ...]) -> tuple[str | int, ...]:
        for length in range(len(parts), 0, -1):
            if parts[:length] in self.moved:
                return self.moved[parts[:length]] + parts[length:]
        return parts

    def of(self, *parts: str | int) -> str:
        """The key to print for a place, in the file or in the stack's own configuration."""
        return Keys().of(*parts) if self._is_own(parts) else super().of(*parts)

    def _is_own(self, parts: tuple[str | int, ...]) -> bool:
        if any(parts[:length] in self.own for length in range(1, len(parts) + 1)):
            return True
        if parts[:1] == ("common",) and len(parts) > 1:
            return parts[1] in key_names(CommonInput) - set(_COMMON.values())
        return parts[:1] == ("containers",) and len(parts) > 2 and parts[2] in _NEVER_THERE


@dataclass
class Reading:
    """A file as a stack's configuration, with names for its places, and what was found on the way.

    `config` is None if the file could not be read as a map at all.
    """

    keys: _Keys
    config: dict[str, object] | None
    faults: tuple[Fault, ...] = ()
    notes: tuple[Note, ...] = ()


def read(
    text: str,
    *,
    file: str,
    roles: Mapping[str, RoleSpec],
    local_addresses: frozenset[str],
    beside: Mapping[str, object] = MappingProxyType({}),
) -> Reading:
    """The configuration in `text` and `beside` it; `file` is its name in messages.

    A container host is the local one if it has no `ip` or one of `local_addresses`; another is reached by ssh.
    `beside` is the stack's own configuration. What both say is a fault.
    """
    reader = _Reader(_Keys(file), roles, local_addresses | LOOPBACK)
    config = None
    try:
        if reader.read(text):
            config = reader.add(beside)
    except RecursionError:
        reader.fault("is nested too deeply", "Write it flatter.")
    except _TooMuch:
        reader.fault("its aliases make it too large, or hold themselves", "Write it without nested aliases.")
    return Reading(reader.keys, config, tuple(reader.faults), tuple(reader.notes))


def _prefix(mask: object) -> int | None:
    try:
        return parse_mask(mask)
    except PydanticCustomError:
        return None


class _TooMuch(Exception):
    """More nodes than a sensible file can have, once its aliases are followed."""


class _Loader(yaml.SafeLoader):
    """Remembers which maps have an anchor: a top-level one that has is there to be merged elsewhere."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.anchored: list[yaml.Node] = []

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        if anchor is not None:
            self.anchored.append(node)
        return node


class _Reader:
    def __init__(self, keys: _Keys, roles: Mapping[str, RoleSpec], local_addresses: frozenset[str]) -> None:
        self.keys, self.roles, self.local_addresses = keys, roles, local_addresses
        # Of the file as it is written; the others are those of the configuration that is made of it.
        self.places = Keys(keys.prefix)
        self.config: dict[str, object] = {}
        self.faults: list[Fault] = []
        self.notes: list[Note] = []
        self.anchored: list[yaml.Node] = []
        self.nodes = 0

    def read(self, text: str) -> bool:
        """Fills `config`; False if there is no map to read."""
        root = self._compose(text)
        if root is None:
            return False
        self._duplicates(root, (), set())
        top = self._entries(root)
        if top is None:
            self.fault(f"is {self._kind(root)} where a map belongs", f"Known keys: {one_of(_TOP)}.")
            return False
        for name, node in top.items():
            # Its old meaning, a list that the hooks kept, is now derived from the containers.
            if name not in _TOP and name != _GENERATED and not any(node is anchored for anchored in self.anchored):
                self._unknown({name: node}, frozenset(_TOP))
        containers = self._entries(top.get("containers"), ("containers",))
        inner = containers.pop("containerdefault", None) if containers else None
        if inner is not None:
            top.setdefault("containerdefault", inner)
        defaults = self._map(top, "containerdefault")
        common = self._map(top, "common")
        self.host_nodes = self._map(top, "containerhosts")
        self._common(common, defaults)
        self._hosts()
        self._defaults(defaults)
        self._unknown(defaults, _CONTAINER, "containerdefault")
        if containers is None:
            self.config["containers"] = self._value(top["containers"])
            return True
        result: dict[str, object] = {}
        for name, node in containers.items():
            self._container(name, node, defaults, result)
        self.config["containers"] = result
        return True

    def add(self, beside: Mapping[str, object]) -> dict[str, object]:
        """The configuration of the file with what is said beside it."""
        config = self._joined(self.config, beside, ())
        mask = _prefix(self.vip_mask)
        if self.vip_mask is not None and (mask is None or mask != _prefix(self._mask(config) or self.vip_mask)):
            self._note("left out: the VIP has the lab's mask", "common", "vip_mask")
        return config

    def _joined(
        self, file: Mapping[str, object], beside: Mapping[str, object], path: tuple[str, ...]
    ) -> dict[str, object]:
        result = dict(file)
        for key, value in beside.items():
            there, place = file.get(key), (*path, key)
            if there in (None, {}):
                self.keys.own.add(place)
                result[key] = value
            elif not isinstance(value, Mapping):
                # Named before it counts as the stack's own.
                where = self.keys.of(*place)
                belongs = isinstance(there, Mapping)
                reason = f"is {kind(value)} where a map belongs" if belongs else f"is given in the file too, as {where}"
                fix = "Write NAME: VALUE for each." if belongs else "Leave one of the two out."
                self.faults.append(Fault(Keys().of(*place), reason, fix))
            elif isinstance(there, Mapping):
                result[key] = self._joined(there, value, place)
            else:
                reason = f"is given in the file too, as {self.keys.of(*place)}"
                self.faults.append(Fault(Keys().of(*place), reason, "Leave one of the two out."))
        return result

    @staticmethod
    def _mask(config: Mapping[str, object]) -> object:
        defaults = config.get("containerDefaults")
        return defaults.get("mask") if isinstance(defaults, Mapping) else None

    def fault(self, reason: str, fix: str, *path: str | int) -> None:
        self.faults.append(Fault(self.places.of(*path).rstrip(":"), reason, fix))

    def _note(self, text: str, *path: str | int) -> None:
        self.notes.append(Note(self.places.of(*path), text))

    def _compose(self, text: str) -> yaml.Node | None:
        for attempt in (text, _TAB_BEFORE_COMMENT.sub(" ", text)):
            loader = None
            try:
                loader = _Loader(attempt)
                root = loader.get_single_node()
                self.anchored = loader.anchored
                if root is None:
                    self.fault("is empty", f"Known keys: {one_of(_TOP)}.")
                return root
            except yaml.YAMLError as error:
                problem = error
            finally:
                if loader is not None:
                    loader.dispose()
        mark = getattr(problem, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        what = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "not one document"
        self.fault(f"is not YAML: {where}{plain(what)}", "Correct the line.")
        return None

    def _duplicates(self, node: yaml.Node, path: tuple[str | int, ...], seen: set[int]) -> None:
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._duplicates(item, (*path, index), seen)
            return
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                reason = f"the key is there twice, in lines {lines[key.value]} and {line}"
                hint = "Merge several maps by `<<: [*a, *b]`." if key.value == "<<" else "Leave one of them out."
                self.fault(reason, hint, *path, key.value)
            lines[key.value] = line
            self._duplicates(value, (*path, key.value), seen)

    def _kind(self, node: yaml.Node) -> str:
        return kind(self._value(node))

    def _entries(
        self, node: yaml.Node | None, path: tuple[str, ...] = (), above: tuple[yaml.Node, ...] = ()
    ) -> dict[str, yaml.Node] | None:
        """The nodes of a map by key, merge keys followed; {} for an empty value and None for no map."""
        self._count()
        if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
            return {}
        if not isinstance(node, yaml.MappingNode):
            return None
        if any(node is other for other in above):
            raise _TooMuch
        own: dict[str, yaml.Node] = {}
        merged: dict[str, yaml.Node] = {}
        for key, value in node.value:
            self._count()
            if key.tag == "tag:yaml.org,2002:merge":
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    entries = self._entries(source, path, (*above, node))
                    if entries is None:
                        fix = "Merge an anchored map, e.g. `<<: *containerdefault`."
                        self.fault(f"is {self._kind(source)} where a map belongs", fix, *path, "<<")
                        continue
                    for inherited, item in entries.items():
                        merged.setdefault(inherited, item)
                continue
            name = self._value(key)
            if not isinstance(name, str) or not is_key(name):
                self.faults.append(odd_key(self.places, name, *path))
                continue
            own.setdefault(name, value)
        return {**merged, **own}

    def _map(self, parent: Mapping[str, yaml.Node], *path: str) -> dict[str, yaml.Node]:
        node = parent.get(path[-1])
        entries = self._entries(node, path)
        if entries is None and node is not None:
            self.fault(f"is {self._kind(node)} where a map belongs", "Write NAME: VALUE for each.", *path)
        return entries or {}

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise _TooMuch

    def _value(self, node: yaml.Node, above: tuple[yaml.Node, ...] = ()) -> object:
        """The node as plain Python; scalars that are neither number, boolean nor empty are text."""
        self._count()
        if any(node is other for other in above):
            raise _TooMuch
        above = (*above, node)
        if isinstance(node, yaml.MappingNode):
            return {key: self._value(item, above) for key, item in (self._entries(node) or {}).items()}
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, above) for item in node.value]
        constructors = {
            "tag:yaml.org,2002:null": yaml.SafeLoader.construct_yaml_null,
            "tag:yaml.org,2002:bool": yaml.SafeLoader.construct_yaml_bool,
            "tag:yaml.org,2002:int": yaml.SafeLoader.construct_yaml_int,
            "tag:yaml.org,2002:float": yaml.SafeLoader.construct_yaml_float,
        }
        construct: Any = constructors.get(node.tag)
        if construct is None:
            return node.value
        try:
            return construct(yaml.SafeLoader(""), node)
        except (ValueError, KeyError, IndexError, OverflowError):
            # An explicit tag on something else, e.g. `!!int abc`.
            return node.value

    def _unknown(self, entries: Mapping[str, yaml.Node], known: frozenset[str], *path: str) -> None:
        level = (path[0], "*") if len(path) > 1 else path
        for name in entries:
            if name in known:
                continue
            if name in _CALLED and level == ("containers", "*"):
                self.fault("unknown key", f"It is called `{_CALLED[name]}` in such a file.", *path, name)
            elif name in _TODAY[level]:
                of_today = [_TOP.get(path[0], path[0]), *path[1:], name] if path else [name]
                fix = f"Such a file has no word for it: give it beside the file, as {Keys().of(*of_today)}."
                self.fault("unknown key", fix, *path, name)
            else:
                self.faults.append(unknown_key(self.places, known, *path, name))

    def _settings(self, entries: Mapping[str, yaml.Node], *path: str) -> dict[str, tuple[str, yaml.Node]]:
        """Settings by their names today, with the name that they have here."""
        found: dict[str, tuple[str, yaml.Node]] = {}
        for old, new in _SETTINGS.items():
            if old not in entries or self._value(entries[old]) is None:
                continue
            if new in found:
                self.fault(f"says the same as `{found[new][0]}`", "Leave one of the two out.", *path, old)
                continue
            found[new] = (old, entries[old])
        return found

    def _common(self, common: Mapping[str, yaml.Node], defaults: Mapping[str, yaml.Node]) -> None:
        result: dict[str, object] = {}
        passwords: dict[str, object] = {}
        nested = self._map(common, "common", "passwords")
        secrets = {old: new for role in self.roles.values() for new, olds in role.secrets.items() for old in olds}
        secrets |= {new: new for role in self.roles.values() for new in role.secrets}
        for name, node, path in [
            *((name, node, ("common", name)) for name, node in common.items() if _SECRET.fullmatch(name)),
            *((name, node, ("common", "passwords", name)) for name, node in nested.items()),
        ]:
            if name not in secrets and name in _FORGOTTEN_SECRETS:
                self._note(f"left out: {_FORGOTTEN_SECRETS[name]}", *path)
                continue
            new = secrets.get(name, name)
            if new in passwords:
                self.fault("gives a password that is given already", "Leave one of the two out.", *path)
                continue
            # As it is written: 0123 is no number here, and a leading zero counts.
            scalar = isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null"
            passwords[new] = node.value if scalar else self._value(node)
            self.keys.moved["common", "passwords", new] = path
        for name, new in _COMMON.items():
            if name in common and name != "passwords":
                result[new] = self._value(common[name])
        if result.get("domain") is None and "domain" in defaults:
            result["domain"] = self._value(defaults["domain"])
            self.keys.moved["common", "domain"] = ("containerdefault", "domain")
        for name, (expected, text) in _FIXED.items():
            if name in common and self._value(common[name]) not in (None, expected):
                self._note(f"left out: {text}", "common", name)
        self.vip_mask = self._value(common["vip_mask"]) if "vip_mask" in common else None
        known = {*_COMMON, "vip_mask", *_SETTINGS, *_FIXED}
        readable = {name: node for name, node in common.items() if not _SECRET.fullmatch(name) or name in known}
        self._unknown(readable, frozenset(known), "common")
        self.config["common"] = {**result, "passwords": passwords}
        self.common = {name: item for name, item in self._settings(common, "common").items() if name != "domain"}

    def _hosts(self) -> None:
        result: dict[str, object] = {}
        for name, node in self.host_nodes.items():
            place = ("containerHosts", name)
            entries = self._entries(node, ("containerhosts", name))
            if entries is None:
                result[name] = self._value(node)
                continue
            self._unknown(entries, _HOST, "containerhosts", name)
            address = self._value(entries["ip"]) if "ip" in entries else None
            ssh = self._value(entries["ssh"]) if "ssh" in entries else None
            if ssh is None and (address is None or address in self.local_addresses):
                result[name] = {}
                continue
            if isinstance(ssh, Mapping):
                result[name] = {"ssh": {"host": address, **ssh} if address is not None else ssh}
            else:
                result[name] = {"ssh": {"host": address} if ssh is None else ssh}
                self._note(f"is reached by ssh as root at {show(address)}", "containerhosts", name)
            if not (isinstance(ssh, Mapping) and "host" in ssh):
                self.keys.moved[(*place, "ssh", "host")] = ("containerhosts", name, "ip")
        if result:
            self.config["containerHosts"] = result

    def _defaults(self, defaults: Mapping[str, yaml.Node]) -> None:
        result: dict[str, object] = {}
        settings = self._settings(defaults, "containerdefault")
        for place, found in (("common", self.common), ("containerdefault", settings)):
            for new, (old, node) in found.items():
                result[new] = self._value(node)
                self.keys.moved["containerDefaults", new] = (place, old)
        if "host" in defaults:
            result["host"] = self._host(defaults["host"], "containerdefault", "host")
        if "volumes" in defaults:
            result["volumes"] = self._value(defaults["volumes"])
        self.config["containerDefaults"] = result

    def _host(self, node: yaml.Node, *path: str) -> object:
        """The name of the host that `node` is an alias of, names, or repeats."""
        for name, host in self.host_nodes.items():
            if node is host:
                return name
        value = self._value(node)
        if not isinstance(value, Mapping):
            for name, host in self.host_nodes.items():
                known = self._value(host)
                if value is not None and isinstance(known, Mapping) and known.get("ip") == value:
                    return name
            return value
        for name, host in self.host_nodes.items():
            if self._value(host) == value:
                return name
        self.fault("is none of containerhosts", "Give an alias of one, e.g. `host: *host1`, or its name.", *path)
        return None

    def _container(
        self,
        name: str,
        node: yaml.Node,
        defaults: Mapping[str, yaml.Node],
        result: dict[str, object],
    ) -> None:
        place, path = ("containers", name), ("containers", name)
        entries = self._entries(node, path)
        if entries is None:
            result[name] = self._value(node)
            return
        state = self._value(entries["state"]) if "state" in entries else None
        if state is False:
            self._note("left out: its state is false", *path)
            return
        if (reason := _GONE.get(self._image(entries)[0])) is not None:
            self._note(f"left out: {reason}", *path)
            return
        if state not in (None, True):
            self.fault(f"is {kind(state)} where true or false belongs", "Write true or false.", *path, "state")
        # What it has from the defaults is left to them, so that a fault there is reported once.
        own = {key: item for key, item in entries.items() if item is not defaults.get(key)}
        self._unknown(own, _CONTAINER, *path)
        given: dict[str, object] = {}
        for new, (old, item) in self._settings(own, *path).items():
            given[new] = self._value(item)
            self.keys.moved[(*place, new)] = (*path, old)
        if "host" in own:
            given["host"] = self._host(own["host"], *path, "host")
        if "volumes" in own:
            volumes = self._value(own["volumes"])
            given["volumes"] = [] if volumes is None else [volumes] if isinstance(volumes, str) else volumes
        address, role = _CALLED["address"], _CALLED["role"]
        if address in entries:
            given["address"] = self._value(entries[address])
        self.keys.moved[(*place, "address")] = (*path, address)
        if role in entries:
            given["role"] = self._role(entries[role], *path, role)
        self.keys.moved[(*place, "role")] = (*path, role)
        hooks = {}
        replaced: list[str] = []
        for old, new in _HOOKS.items():
            source = entries.get(old, defaults.get(old))
            if source is not None:
                hooks[new] = self._hooks(source, replaced, (*place, "hooks", new), (*path, old))
        if replaced := sorted({script for script in replaced if script}):
            self._note(f"hooks left out, as the lab does this itself: {', '.join(replaced)}", *path)
        if hooks:
            given["hooks"] = hooks
        result[name] = given

    def _image(self, entries: Mapping[str, yaml.Node]) -> tuple[str, object]:
        """The image of a container: its bare name, empty where it has none, and what is written."""
        image = self._value(entries["image"]) if "image" in entries else None
        bare = image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0] if isinstance(image, str) else ""
        return bare, image

    def _role(self, node: yaml.Node, *path: str) -> object:
        """The role that an old image name stands for; registry and tag don't count."""
        bare, image = self._image({"image": node})
        if not isinstance(image, str):
            return image
        role = find_role(bare, self.roles)
        if role is None:
            return bare if bare == image else image
        if bare != image:
            self._note(f"the image {show(image)} stands for role {role}, which has an image of its own", *path)
        return role

    def _hooks(
        self, node: yaml.Node, replaced: list[str], place: tuple[str | int, ...], path: tuple[str | int, ...]
    ) -> object:
        """The hooks that the lab does not replace; those that it does are added to `replaced`."""
        value = self._value(node)
        commands = [value] if isinstance(value, str) else value
        self.keys.moved[place] = path
        if not isinstance(commands, list):
            return commands
        kept: list[object] = []
        for index, command in enumerate(commands):
            if isinstance(command, str):
                script = self._replaced(command, *path, index)
                if script is not None:
                    replaced.append(script)
                    continue
            self.keys.moved[(*place, len(kept))] = (*path, index)
            kept.append(command.strip() if isinstance(command, str) else command)
        return kept

    def _replaced(self, command: str, *path: str | int) -> str | None:
        """What a hook of the old system did, if it is one; empty if that is reported as a fault, None for others."""
        try:
            words = shlex.split(command)
        except ValueError:
            words = command.split()
        names = [word.rsplit("/", 1)[-1] for word in words]
        first = next((i for i, name in enumerate(names) if name not in _RUNNERS), 0)
        mixed = bool(_SHELL_OPERATORS.search(command.strip()))
        candidates = names if mixed else names[first : first + 1]
        script = next((name for name in candidates if name in (_REGISTER, _CREATE_CERTIFICATE)), None)
        if script is None:
            return None
        if mixed:
            fix = "Give each its own entry."
            self.fault(f"mixes {script}, which the lab replaces, with other commands", fix, *path)
            return ""
        if script == _CREATE_CERTIFICATE:
            return script
        action = next(iter(words[names.index(script) + 1 :]), "")
        if action not in _ACTIONS:
            hint = suggest(action, _ACTIONS)
            self.fault(f"{script} has no action {show(action)}", f"{hint}Actions: {one_of(_ACTIONS)}.", *path)
            return ""
        return f"{script} {action}"
