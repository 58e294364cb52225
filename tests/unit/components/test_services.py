"""Each role against what the repository holds for it: image, mounted files, Puppet classes and their parameters."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from components import paths, services
from components.configuration import environment
from components.configuration.faults import ConfigurationFaults
from components.services.role import Requirements, Role, ServiceUser
from components.services.topology import Topology
from components.stages import provisioning, volumes
from tests.unit.graph_recorder import CONFIG, FACTS, config, container

SITE = paths.DOCKERVOLUMES / "puppet/code/environments/production/site-modules"
ROLES = list(services.ROLES.values())
ALL = [*ROLES, services.KEEPER]
PROVISIONED = [role for role in ROLES if role.provisioned]
OPEN, CLOSE = "([{", ")]}"


def topology(given: dict[str, Any] | None = None) -> Topology:
    checked, _ = environment.load(given or config(), stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    return Topology(checked, services.ROLES)


def split(text: str, separator: str) -> list[str]:
    """Split Puppet code where it isn't inside brackets or quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in OPEN:
            depth += 1
        elif letter in CLOSE:
            depth -= 1
        elif letter == separator and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def manifest(profile: str) -> str:
    """Return the code of a profile class without its comments."""
    text = (SITE / f"profile/manifests/{profile.replace('::', '/')}.pp").read_text()
    return re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


def profiles(role: str) -> list[str]:
    """Return the profile classes of a role: its own, and those that are included on the way."""
    found = [role]
    for profile in found:
        included = re.findall(r"^\s*include profile::(\S+)$", manifest(profile), re.MULTILINE)
        found += [name for name in included if name not in found]
    return found


def parameters(profile: str) -> dict[str, bool]:
    """Return the parameters of a profile class: name, and whether it has a default."""
    text = manifest(profile)
    found = re.search(rf"class profile::{profile}\s*(.)", text)
    assert found, f"the manifest of profile::{profile} declares no such class"
    if found[1] != "(":
        return {}
    depth, end = 0, found.start(1)
    while True:
        depth += (text[end] in OPEN) - (text[end] in CLOSE)
        if depth == 0:
            break
        end += 1
    result = {}
    for part in split(text[found.end(1) : end], ","):
        name = re.search(r"\$(\w+)\s*(=(?!>)|$)", part)
        assert name, part
        result[name[1]] = name[2] == "="
    return result


def keys(role: str) -> dict[str, bool]:
    """Return the Hiera keys that a role's profile classes read, and whether they can do without."""
    found = {profile: parameters(profile) for profile in profiles(role)}
    return {f"profile::{profile}::{name}": default for profile in found for name, default in found[profile].items()}


def sensitive(role: str) -> set[str]:
    """Return the Hiera keys of parameters whose type is Sensitive."""
    found: set[str] = set()
    for profile in profiles(role):
        names = re.findall(r"^\s*(?:Optional\[)?Sensitive\[.*\]\s+\$(\w+)", manifest(profile), re.MULTILINE)
        found.update(f"profile::{profile}::{name}" for name in names)
    return found


def given(role: Role) -> tuple[set[str], set[str]]:
    """Return the Hiera keys and the secret Hiera keys of a role's container."""
    lab = topology()
    member = lab.members(role.name)[0]
    return set(role.hiera(lab, member)), set(role.secrets(lab.requirements))


def by_name(role: Role) -> str:
    return role.name


def test_the_signature_of_a_class_is_read_as_puppet_reads_it() -> None:
    assert parameters("haproxy") == {
        "vip_address": False, "prefix": False, "router_id": False, "priority": False, "vrrp_password": False,
        "frontends": True, "metrics": True, "peers": True, "proxies": True, "certificate": True,
    }  # fmt: skip
    assert parameters("puppet") == {}
    assert sensitive("haproxy") == {"profile::haproxy::vrrp_password"}


@pytest.mark.parametrize("role", ALL, ids=by_name)
def test_a_role_has_an_image(role: Role) -> None:
    assert (paths.DOCKERFILES / role.image_directory / "Dockerfile").is_file()


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_a_role_that_puppet_provisions_has_a_role_class_that_includes_profiles_only(role: Role) -> None:
    text = (SITE / f"role/manifests/{role.name}.pp").read_text()
    body = re.search(rf"^class role::{role.name} {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
    assert body
    included = [line.split() for line in body[1].splitlines()]
    assert all(words[0] == "include" and words[1].startswith("profile::") for words in included)
    assert ["include", f"profile::{role.name}"] in included
    for _, name in included:
        assert (SITE / f"profile/manifests/{name.removeprefix('profile::')}.pp").is_file()


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_hiera_keys_are_parameters_of_the_roles_profile(role: Role) -> None:
    public, secret = given(role)
    assert not public & secret
    assert public | secret <= set(keys(role.name))


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_every_parameter_without_a_default_is_given(role: Role) -> None:
    public, secret = given(role)
    assert {key for key, default in keys(role.name).items() if not default} <= public | secret


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_exactly_the_sensitive_parameters_are_given_as_secrets(role: Role) -> None:
    _, secret = given(role)
    assert secret <= sensitive(role.name)
    assert {key for key in sensitive(role.name) if not keys(role.name)[key]} <= secret


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_hiera_turns_every_secret_of_a_role_into_a_sensitive_value(role: Role) -> None:
    options = yaml.safe_load((SITE.parent / "data/lookup.yaml").read_text())["lookup_options"]
    patterns = [pattern for pattern, option in options.items() if option.get("convert_to") == "Sensitive"]
    public, secret = given(role)
    for key in secret:
        assert any(re.search(pattern, key) for pattern in patterns), key
    for key in public:
        assert not any(re.search(pattern, key) for pattern in patterns), key


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_hiera_data_are_plain_yaml(role: Role) -> None:
    lab = topology()
    data = dict(role.hiera(lab, lab.members(role.name)[0]))
    assert yaml.safe_load(yaml.safe_dump(data)) == data


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_needs_name_roles_that_there_are(role: Role) -> None:
    assert set(services.needs_of(role)) <= set(services.ROLES)
    assert role.name not in services.needs_of(role)


@pytest.mark.parametrize("role", ALL, ids=by_name)
def test_a_check_inside_uses_only_programs_that_are_mounted(role: Role) -> None:
    for check in role.checks:
        mounted = [word.removeprefix("/etc/dockstack/") for word in check.command if word.startswith("/etc/dockstack/")]
        for program in mounted:
            found = [paths.DOCKERVOLUMES / directory / program for directory in (role.name, *role.shares, "default")]
            assert any(path.is_file() and path.stat().st_mode & 0o111 for path in found), program


@pytest.mark.parametrize("role", PROVISIONED, ids=by_name)
def test_a_provisioned_role_is_checked_through_the_network_or_inside(role: Role) -> None:
    assert role.checks


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_what_a_role_serves_is_a_port_once_in_the_lab(role: Role) -> None:
    others = [(f.name, f.port) for other in ROLES if other != role for f in other.frontends]
    for frontend in role.frontends:
        assert 0 < frontend.port < 65536
        assert frontend.mode in ("http", "tcp")
        assert frontend.check_path is None or frontend.mode == "http"
        assert not any(frontend.name == name or frontend.port == port for name, port in others)


def test_aliases_belong_to_one_role_and_hide_none() -> None:
    names = [name for role in ROLES for name in (role.name, *role.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_the_files_of_a_role_render_for_its_container(role: Role) -> None:
    lab = topology()
    member = lab.members(role.name)[0]
    files = volumes.render(lab, member, role)
    assert {"supervisor/supervisord.conf", "bin/health", "bin/await-address", "puppet/puppet.conf"} <= set(files)
    assert not any(name.endswith(volumes.TEMPLATE_SUFFIX) for name in files)
    assert not any("{{" in file["content"] and name.endswith(".conf") for name, file in files.items())
    assert f"certname = {member.fqdn}" in files["puppet/puppet.conf"]["content"]


@pytest.mark.parametrize("role", [services.KEEPER, services.ROLES["plain"]], ids=by_name)
def test_the_files_that_containers_share_name_no_container(role: Role) -> None:
    files = volumes.render_shared(topology(), role, topology().environment.hosts["local"])
    assert "supervisor/supervisord.conf" in files
    assert not any(name.startswith("puppet/") for name in files)


def test_a_role_without_a_dhcp_pool_or_a_second_server_renders_as_well() -> None:
    lab = topology(container("keystone2", role="keystone", address="10.87.0.51"))
    assert volumes.render(lab, lab.members("dnsmasq")[0], services.ROLES["dnsmasq"])


def test_the_execute_bit_of_a_mounted_program_is_kept() -> None:
    lab = topology()
    files = volumes.render(lab, lab.members("galera")[0], services.ROLES["galera"])
    assert files["bin/health"]["mode"] == "755"
    assert files["supervisor/supervisord.conf"]["mode"] == "644"


@pytest.mark.parametrize("role", ALL, ids=by_name)
def test_what_a_program_file_starts_is_mounted_where_it_says(role: Role) -> None:
    lab = topology()
    members = lab.members(role.name)
    files = (
        volumes.render(lab, members[0], role)
        if members
        else volumes.render_shared(lab, role, lab.environment.hosts["local"])
    )
    for name, file in files.items():
        if name.startswith("supervisor/"):
            for program in re.findall(r"/etc/dockstack/(bin/[\w-]+)", file["content"]):
                assert files[program]["mode"] == "755", f"{name}: {program}"


@pytest.mark.parametrize("role", ALL, ids=by_name)
def test_every_file_below_dockervolumes_belongs_to_a_role(role: Role) -> None:
    directories = {path.name for path in paths.DOCKERVOLUMES.iterdir() if path.is_dir()}
    checked = topology(config(common=CONFIG["common"] | {"networking": "opensdn"})).environment
    roles = [*ALL, *services.for_lab(checked).values()]
    assert directories <= {name for role in roles for name in (role.name, *role.shares)} | {"default"}


def test_a_template_that_names_what_there_is_not_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/broken.j2").write_text("{{ lab.nothing }}\n")
    monkeypatch.setattr(paths, "DOCKERVOLUMES", tmp_path)
    lab = topology()
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        volumes.render(lab, lab.members("plain")[0], services.ROLES["plain"])


def test_a_roles_own_file_takes_the_place_of_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for directory, text in (
        ("default", "for all\n"),
        ("plain", "of {{ container.name }} at {{ container.address }}\n"),
    ):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "motd.j2").write_text(text)
    monkeypatch.setattr(paths, "DOCKERVOLUMES", tmp_path)
    lab = topology()
    files = volumes.render(lab, lab.members("plain")[0], services.ROLES["plain"])
    assert files == {"motd": {"content": "of plain1 at 10.87.0.99\n", "mode": "644"}}


def test_the_puppet_server_gets_the_data_that_all_nodes_share() -> None:
    lab = topology()
    files = volumes.render(lab, lab.members("puppet")[0], services.ROLES["puppet"])
    assert yaml.safe_load(files[volumes.COMMON_DATA]["content"]) == {
        "dockstack::domain": "dockstack.lab",
        "dockstack::vip_address": "10.87.0.250",
        "dockstack::vip_name": "vip.dockstack.lab",
        "dockstack::prefix": 24,
        "dockstack::gateway": "10.87.0.1",
        "dockstack::region": "RegionOne",
    }


def test_the_digest_of_files_changes_with_content_mode_and_name() -> None:
    files = {"a": {"content": "1", "mode": "644"}}
    others: list[volumes.Files] = [
        {"a": {"content": "2", "mode": "644"}},
        {"a": {"content": "1", "mode": "755"}},
        {"b": {"content": "1", "mode": "644"}},
    ]
    assert len({volumes.digest(files), *map(volumes.digest, others)}) == 4
    assert volumes.digest({"a": {"mode": "644", "content": "1"}}) == volumes.digest(files)


def test_every_api_is_served_by_uwsgi_as_one_place_says() -> None:
    profiles = {path.stem: path.read_text() for path in (SITE / "profile/manifests").glob("*.pp")}
    served = {name: text.count("::wsgi::uwsgi") for name, text in profiles.items()}
    assert {name for name, count in served.items() if count} >= {"keystone", "glance", "nova", "neutron", "cinder"}
    assert served == {name: text.count("dockstack::uwsgi_settings(") for name, text in profiles.items()}
    shared = (SITE / "dockstack/functions/uwsgi_settings.pp").read_text()
    settings = dict(re.findall(r"^    'uwsgi/([\w-]+)'\s+=> { 'value' => '?(.*?)'? },$", shared, re.MULTILINE))
    horizon = (SITE / "profile/templates/dashboard-uwsgi.ini.epp").read_text()
    for name in ("add-header", "socket-timeout", "hook-master-start", "shutdown-sockets"):
        assert f"\n{name} = {settings[name]}\n" in horizon


@pytest.mark.parametrize("tls", [False, True])
def test_all_profiles_are_told_one_url_of_keystone_and_none_makes_it_itself(tls: bool) -> None:
    lab = topology(config(common=CONFIG["common"] | {"tls": tls}))
    given = {key: value for role in PROVISIONED for key, value in role.hiera(lab, lab.members(role.name)[0]).items()}
    told = {key: value for key, value in given.items() if key.endswith(("::keystone_url", "profile::keystone::url"))}
    assert len(told) >= 11
    url = f"http{'s' if tls else ''}://vip.dockstack.lab:5000"
    assert set(told.values()) == {url, f"{url}/v3"}
    assert not [path for path in (SITE / "profile/manifests").rglob("*.pp") if ":5000" in path.read_text()]


def test_uwsgi_ends_its_workers_itself_once_they_have_answered() -> None:
    files = [path for path in paths.DOCKERVOLUMES.glob("*/supervisor/*/*.conf*") if "uwsgi" in path.read_text()]
    assert len(files) >= 8
    for path in files:
        lines = path.read_text().splitlines()
        assert "stopasgroup=true" not in lines, path
        assert "killasgroup=true" in lines, path


def test_haproxy_serves_every_member_of_every_role_behind_the_vip() -> None:
    lab = topology(container("keystone2", role="keystone", address="10.87.0.51"))
    frontends: Any = services.ROLES["haproxy"].hiera(lab, lab.members("haproxy")[0])["profile::haproxy::frontends"]
    assert [b["address"] for b in frontends["keystone"]["backends"]] == ["10.87.0.50", "10.87.0.51"]
    assert frontends["keystone"]["check_path"].startswith("/")
    assert (frontends["galera"]["port"], frontends["galera"]["mode"]) == (3306, "tcp")
    assert "check_path" not in frontends["galera"]
    assert [name for name, settings in frontends.items() if settings.get("reads_only")] == ["novncproxy"]


def test_all_galera_members_know_each_other_and_a_further_one_changes_nothing_that_they_run_with() -> None:
    role, alone = services.ROLES["galera"], topology()
    lab = topology(container("galera2", role="galera", address="10.87.0.31"))
    listed = {volumes.render(lab, member, role)["galera/members"]["content"] for member in lab.members("galera")}
    assert listed == {"10.87.0.30 galera1\n10.87.0.31 galera2\n"}
    assert role.hiera(lab, lab.members("galera")[0]) == role.hiera(alone, alone.members("galera")[0])


def test_haproxy_asks_galera_members_how_they_are_where_there_are_several() -> None:
    role = services.ROLES["haproxy"]
    for lab, several in (
        (topology(), False),
        (topology(container("galera2", role="galera", address="10.87.0.31")), True),
    ):
        data = role.hiera(lab, lab.members("haproxy")[0])
        assert ("health_port" in data["profile::haproxy::frontends"]["galera"]) is several  # type: ignore[index]
        assert data.get("profile::haproxy::proxies") == ({"haproxy1": "10.87.0.20"} if several else None)


def test_each_dnsmasq_has_a_part_of_the_pool_of_its_own() -> None:
    given = container("dnsmasq2", role="dnsmasq", address="10.87.0.54")
    given["common"]["dhcp"] = {"start": "10.87.0.200", "end": "10.87.0.202"}
    lab, role = topology(given), services.ROLES["dnsmasq"]
    texts = [volumes.render(lab, each, role)["dnsmasq/dnsmasq.conf"]["content"] for each in lab.members("dnsmasq")]
    assert "dhcp-range=10.87.0.200,10.87.0.200,1h\n" in texts[0]
    assert "dhcp-range=10.87.0.201,10.87.0.202,1h\n" in texts[1]
    assert not any("dhcp-authoritative" in text for text in texts)


def test_a_dnsmasq_for_which_the_pool_is_too_small_gives_fixed_addresses_alone() -> None:
    given = container("dnsmasq2", role="dnsmasq", address="10.87.0.54")
    given["common"]["dhcp"] = {"start": "10.87.0.200", "end": "10.87.0.200"}
    lab = topology(given)
    assert [lab.pool(each) is None for each in lab.members("dnsmasq")] == [True, False]


def test_an_agents_tunnels_end_where_its_switch_has_the_address() -> None:
    lab = topology()
    member = lab.members("neutron")[0]
    role = services.ROLES["neutron"]
    assert role.hiera(lab, member)["profile::neutron::agent::tunnel_address"] == "198.18.0.85"
    started = volumes.render(lab, member, role)["supervisor/boot/openvswitch.conf"]["content"]
    assert "network-links br-phy eth2 198.18.0.85/16 br-ex eth1\n" in started


def test_neutron_tells_nova_of_changed_ports_where_there_is_a_nova() -> None:
    role = services.ROLES["neutron"]
    key = "profile::neutron::nova_password"
    assert role.secrets(Requirements(service_users=(ServiceUser(name="nova"),)))[key] == "nova_identity"
    assert key not in role.secrets(Requirements())


def test_the_facts_for_the_configurations_check_are_those_of_the_roles() -> None:
    facts = services.facts()
    assert facts.keys() == services.ROLES.keys()
    assert facts["dnsmasq"].serves_dns
    assert not facts["puppet"].needs
    assert {"galera", "haproxy", "puppet", "dnsmasq"} <= set(facts["keystone"].needs)
    assert "/var/lib/mysql" in facts["galera"].mounts
    assert "keystone_admin" in facts["keystone"].secrets
    for role in ROLES:
        assert facts[role.name].images[0] == role.image_directory


def test_a_catalog_depends_on_the_code_of_its_own_role_and_on_what_all_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(role: str, *profiles: str) -> dict[str, str]:
        provisioning.code_digests.cache_clear()
        return dict(provisioning.code_digests(role, profiles))

    for path in (p for p in SITE.parent.rglob("*") if p.is_file()):
        copy = tmp_path / path.relative_to(SITE.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(provisioning, "ENVIRONMENT", tmp_path)
    before = {role: digests(role) for role in ("galera", "keystone")}
    including = digests("keystone", "galera")
    with (tmp_path / "site-modules/profile/manifests/galera.pp").open("a") as own:
        own.write("# changed\n")
    assert digests("galera") != before["galera"]
    assert digests("keystone") == before["keystone"]
    assert digests("keystone", "galera") != including
    with (tmp_path / "manifests/site.pp").open("a") as shared:
        shared.write("# changed\n")
    assert digests("keystone") != before["keystone"]
    provisioning.code_digests.cache_clear()


SHARED = {
    "profile/manifests/base.pp": "the classes of several roles include it",
}
"""What of the profiles is for all, each with the reason: a change of it runs Puppet in every container."""


def owned() -> dict[str, str]:
    """Return whose each file of the role classes and profiles is, by its path; nothing where it is for all."""
    directories = ("role/manifests", "profile/manifests", "profile/templates", "profile/files")
    files = [path for directory in directories for path in (SITE / directory).rglob("*") if path.is_file()]
    roles = provisioning.puppet_roles()
    return {str(path.relative_to(SITE)): provisioning.owner_of(path, roles) for path in files}


def test_the_code_of_a_profile_is_its_roles_alone() -> None:
    assert {path for path, role in owned().items() if not role} == SHARED.keys()


def test_a_file_is_its_roles_by_its_whole_name_or_by_what_comes_before_a_hyphen() -> None:
    def owner(name: str) -> str:
        return provisioning.owner_of(SITE / "profile" / name, ("nova", "nova-cell"))

    assert {owner(f"templates/{name}") for name in ("nova", "nova.conf.epp", "nova-a.b.epp", "nova/a.epp")} == {"nova"}
    assert owner("files/nova-cell-a.conf") == "nova-cell"
    assert {owner(f"manifests/{name}.pp") for name in ("base", "novab", "cell-nova")} == {""}
    assert owner("lib/puppet/type/nova.rb") == ""


def test_a_profile_names_what_is_another_roles_only_where_its_role_says_so() -> None:
    opensdn = services.for_lab(topology(config(common=CONFIG["common"] | {"networking": "opensdn"})).environment)
    found = owned()
    for path, role in found.items():
        text = (SITE / path).read_text()
        classes = re.findall(r"\bprofile::(\w+)", text, re.IGNORECASE)
        files = re.findall(r"'profile/([^']+)'", text)
        named = {name.lower() for name in classes if f"profile/manifests/{name.lower()}.pp" not in SHARED}
        named |= {found.get(f"profile/templates/{name}") or found[f"profile/files/{name}"] for name in files}
        assert named <= {role, *services.ROLES[role].profiles, *opensdn[role].profiles} if role else not named, path


def test_the_check_of_a_role_is_made_at_the_containers_address() -> None:
    address = str(IPv4Address("10.87.0.50"))
    rendered = [check.render(address) for check in services.ROLES["keystone"].checks]
    assert rendered == [{"kind": "http", "url": "http://10.87.0.50:5000/v3", "status": [200]}]
    assert services.ROLES["memcached"].checks[0].render(address) == {"kind": "tcp", "address": address, "port": 11211}


@pytest.mark.parametrize("role", sorted(services.ROLES))
def test_a_role_says_how_many_of_it_can_work_together(role: str) -> None:
    any_number = {
        "ceph", "cinder", "compute", "dashboard", "dnsmasq", "galera", "glance", "haproxy", "keystone", "memcached",
        "neutron", "nova", "placement", "plain", "portal", "rabbitmq", "tempest",
    }  # fmt: skip
    assert services.facts()[role].at_most == {**dict.fromkeys(any_number), "cassandra": 3}.get(role, 1)


def test_a_member_that_needs_one_whose_turn_comes_later_is_refused() -> None:
    several = container("memcached1", needs=["memcached2"])
    several["containers"]["memcached2"] = {"role": "memcached", "address": "10.87.0.46"}
    with pytest.raises(ConfigurationFaults) as caught:
        environment.load(several, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    (fault,) = caught.value.faults
    assert fault.reason == "a dependency cycle: memcached1 -> memcached2 -> memcached1"
    assert fault.fix.endswith("Members of a role come one after the other, as they are written.")
    del several["containers"]["memcached1"]["needs"]
    several["containers"]["memcached2"]["needs"] = ["memcached1"]
    environment.load(several, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)


def test_one_member_too_many_is_refused_by_name() -> None:
    several = config()
    several["containers"] |= {
        f"{role}{number}": {"role": role, "address": f"10.87.0.{100 + 5 * index + number}"}
        for index, (role, facts) in enumerate(sorted(services.facts().items()))
        for number in range(2, (facts.at_most or 1) + 2)
    }
    with pytest.raises(ConfigurationFaults) as caught:
        environment.load(several, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    limited = {role: facts.at_most for role, facts in sorted(services.facts().items()) if facts.at_most}
    told = {fault.key.split(".")[1]: fault.reason for fault in caught.value.faults}
    assert "two, the loss of one stops the other" in told.pop("galera2")
    assert "of two brokers" in told.pop("rabbitmq2")
    assert "of two monitors" in told.pop("ceph2")
    assert "files on a volume" in told.pop("glance2")
    assert {name: reason.partition(" today")[0] for name, reason in told.items()} == {
        f"{role}{most + 1}": f"a lab has at most {most} {role}" for role, most in limited.items()
    }


def test_members_that_know_each_other_by_a_number_have_each_their_own() -> None:
    given = config(containerDefaults={"mask": 16, "gateway": "10.87.0.1", "bridge": "br-lab", "dns": ["10.87.0.53"]})
    given["containers"] |= {
        "cassandra2": {"role": "cassandra", "address": "10.87.1.48"},
        "cassandra3": {"role": "cassandra", "address": "10.87.1.0"},
        "memcached2": {"role": "memcached", "address": "10.87.1.45"},
    }
    with pytest.raises(ConfigurationFaults) as caught:
        environment.load(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    assert [(fault.key, fault.reason) for fault in caught.value.faults] == [
        (
            "dockstack:containers.cassandra2.address",
            "10.87.1.48 ends in 48, which is the number of cassandra1",
        ),
        ("dockstack:containers.cassandra3.address", "10.87.1.0 ends in 0, which is no member's number"),
    ]
