# make lab takes a fresh machine to a running lab; everything here may be repeated. STACK=lab unless said otherwise.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
STACK ?= lab
export STACK

# What a caller left empty would stand for something else than was meant: the selected stack, all secrets.
refuse = $(error $(1) is empty. Fix: give it a value, or leave it out)
from_outside = $(filter environment command,$(firstword $(origin $(1))))
$(foreach name,STACK FILE JSON PROJECT SECRETS TESTS CONTAINER SINCE GREP INTERFACE FILTER DELAY JITTER LOSS RATE CLEAR FORMAT CHANGE NAME LIST,\
	$(if $(strip $($(name))),,$(if $(call from_outside,$(name)),$(call refuse,$(name)))))

# Each recipe line gets what a user gets by `. ./activate`.
activated := source ./activate; [[ -n $${DOCKSTACK_PULUMI:-} ]] || exit 1;
# Which tests run beside which: tests/conftest.py.
pytest := python3 -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder -o cache_dir="$$DOCKSTACK_HOME/cache/pytest"
# $(call beginning,REGEX): the files whose first line is a # and then what matches. Programs have no suffix that would tell
# their language.
beginning = $$(git grep --untracked -InE '^\#($(1))' $(2) | sed -nE 's/^([^:]*):1:.*/\1/p')
ending = $$(git grep --untracked -Il '' -- '*.$(1)')
python_scripts := $(call beginning,!.*/python3,-- ':!*.j2')
# A template is Python once something stands for what is in braces; nothing does here.
python_templates := $(call beginning,!.*/python3,-- '*.j2')
plain := sed -E 's/\{\{[^}]*\}\}//g; /^\{%.*%\}$$/d'
ruby_scripts := $(call beginning,!.*/ruby)
shell_scripts := $(call beginning,!.*/(env )?(ba)?sh| shellcheck shell=)
# Without the settings and the state of a Puppet that this machine may have.
puppet_options := --color false --confdir "$$DOCKSTACK_HOME/cache/puppet" --vardir "$$DOCKSTACK_HOME/cache/puppet"
linters := python types shell puppet ruby javascript go

.DEFAULT_GOAL := help
.PHONY: help prepare hosts forget lab preview up destroy purge status open graph logs capture impair drill upgrade backup restore rotate token openrc check test tempest gophercloud lint docs \
	bench chart $(addprefix lint-,$(linters))

help:
	@echo 'make lab       prepare this machine and bring up the lab (STACK=$(STACK))'
	@echo 'make preview   what an update would change'
	@echo 'make up        update the lab'
	@echo 'make destroy   take the lab down'
	@echo 'make purge     take away all that carries the lab'"'"'s name on its hosts, and its state, whatever is broken'
	@echo 'make status    what each container does, what is broken, and what mends it; JSON=1 for programs'
	@echo 'make open      the address of the lab'"'"'s live page, and how to log in there'
	@echo 'make graph     the lab as SVG, from its configuration; FORMAT=mermaid, FILE=..., CHANGE=1: what an update would do'
	@echo 'make logs      what all programs have written, in order; CONTAINER="a b" SINCE=10m GREP=... for some of it'
	@echo 'make capture   CONTAINER=... [INTERFACE=eth0] [FILTER=...]: packets as pcap, to a pipe or to FILE=...'
	@echo 'make impair    CONTAINER=... DELAY=50ms JITTER=5ms LOSS=1% RATE=10mbit: a worse port; CLEAR=1 for as it was'
	@echo 'make drill     NAME=kill-galera: lose something on purpose, and see what users notice; LIST=1: all drills;'
	@echo '               NAME="power-cut kill-*" FILE=...: several, each a row of a table of losses'
	@echo 'make upgrade   update the lab where images have changed: one service after the other, not all at once'
	@echo 'make backup    FILE=...: the lab'"'"'s data as one file, while it stands still for some seconds'
	@echo 'make restore   FILE=...: a lab that is up gets the data of a backup, and its containers anew'
	@echo 'make rotate    new generated passwords and keys; SECRETS="a b" for these alone'
	@echo 'make token     a token from the lab'"'"'s Keystone'
	@echo 'make openrc    PROJECT=... USER=...: an openrc file for others than the administrator; FILE=... writes it there'
	@echo 'make check     lint and unit tests, without a lab; two minutes at most'
	@echo 'make test      lint, then every test; brings the lab up and down'
	@echo 'make tempest   Tempest'"'"'s smoke tests of the lab; TESTS="--regex ..." for others'
	@echo 'make gophercloud  Gophercloud'"'"'s acceptance tests of the lab; TESTS="-run ..." for some'
	@echo 'make lint      ruff, mypy, shellcheck, Puppet, rubocop, node, go vet; installs those of them that it lacks'
	@echo 'make docs      the reference of the configuration, the JSON schema and Pulumi.yaml, from what reads it'
	@echo 'make bench     measure'
	@echo 'make chart     update the lab, and draw what took how long'
	@echo 'make prepare   install, start and build what the lab needs, without bringing it up'
	@echo 'make hosts     the same, but for images, on all container hosts behind ssh'
	@echo 'make forget    HOST=...: the lab goes on without a host that is gone for good'
	@echo
	@echo 'For plain pulumi, openstack and pytest in this shell:  . ./activate'

prepare:
	@prepare/run

hosts:
	@$(activated) python3 -m commands.hosts "$$STACK"

forget:
	@[[ -n "$${HOST:-}" ]] || { echo 'make forget: say which: make forget HOST=host2' >&2; exit 1; }
	@$(activated) python3 -m commands.forget "$$STACK" "$$HOST"

# With a refresh: after a power cut, containers may be gone or stopped that the state takes for running.
define bring_up
@$(activated) pulumi up --stack "$$STACK" --yes --skip-preview --refresh
@$(activated) python3 -m commands.summary "$$STACK"
endef

lab: prepare
	$(bring_up)

preview:
	@$(activated) pulumi preview --stack "$$STACK" --diff

up:
	@$(activated) pulumi up --stack "$$STACK" --yes

destroy:
	@$(activated) pulumi destroy --stack "$$STACK" --yes
	@$(activated) python3 -m commands.cleanup after "$$STACK"

# Asks none of the lab's services, and none of its containers has to run.
purge:
	@prepare/run --without-images
	@$(activated) python3 -m commands.cleanup clear "$$STACK"
	@$(activated) python3 -m commands.hosts "$$STACK" --clear
	@$(activated) pulumi stack rm --stack "$$STACK" --yes --force --preserve-config

status:
	@$(activated) python3 -m commands.status "$$STACK" $(if $(JSON),--json)

open:
	@$(activated) python3 -m commands.page "$$STACK"

graph:
	@prepare/graphviz
	@$(activated) python3 -m commands.graph "$$STACK" --format="$${FORMAT:-svg}" $(if $(CHANGE),--change) \
		$${FILE:+--file="$$FILE"}

# As it was typed: make would take each $ for its own.
logs: override export GREP := $(value GREP)
logs:
	@$(activated) python3 -m commands.logs "$$STACK" --container="$${CONTAINER:-}" --since="$${SINCE:-10m}" --grep="$$GREP"

capture: override export FILTER := $(value FILTER)
capture:
	@$(activated) exec python3 -m commands.capture "$$STACK" --container="$${CONTAINER:-}" \
		--interface="$${INTERFACE:-eth0}" --filter="$$FILTER" $${FILE:+--file="$$FILE"}

impair:
	@$(activated) python3 -m commands.impair "$$STACK" --container="$${CONTAINER:-}" $(if $(CLEAR),--clear) \
		--delay="$${DELAY:-}" --jitter="$${JITTER:-}" --loss="$${LOSS:-}" --rate="$${RATE:-}"

drill:
	@$(activated) exec python3 -m commands.drill "$$STACK" $(if $(LIST),--list) --name="$${NAME:-}" $${FILE:+--file="$$FILE"}

upgrade:
	@$(activated) python3 -m commands.upgrade "$$STACK"

backup:
	@[[ -n "$${FILE:-}" ]] || { echo 'make backup: say where to: make backup FILE=lab.tar.zst' >&2; exit 1; }
	@$(activated) python3 -m commands.backup backup "$$STACK" "$$FILE"

restore: prepare
	@[[ -n "$${FILE:-}" ]] || { echo 'make restore: say what from: make restore FILE=lab.tar.zst' >&2; exit 1; }
	@$(activated) python3 -m commands.backup restore "$$STACK" "$$FILE"
	$(bring_up)

rotate:
	@$(activated) python3 -m commands.rotate "$$STACK" $(SECRETS)

token:
	@$(activated) openrc=$$(pulumi stack output --stack "$$STACK" openrc); source "$$openrc"; openstack token issue

# Every shell has a USER of its own, which isn't meant.
openrc: user := $(if $(filter command,$(firstword $(origin USER))),--user="$$USER")
openrc:
	@$(activated) python3 -m commands.openrc "$$STACK" --project="$${PROJECT:-}" $(user) $${FILE:+--file="$$FILE"}

check: lint
	@prepare/go test
	@$(activated) $(pytest) tests/unit

test: lint
	@prepare/go test
	@prepare/browser
	@prepare/sshd
	@$(activated) $(pytest) --durations=25

tempest:
	@$(activated) container=$$(pulumi stack output --stack "$$STACK" --json services | python3 -c \
		'import json, sys; print(next((n for n, s in json.load(sys.stdin).items() if s["role"] == "tempest"), ""))'); \
	[[ -n $$container ]] || { echo "stack $$STACK has no container of role tempest: add one to its configuration" >&2; exit 1; }; \
	docker exec --env TEMPEST_WORKERS "$$container" /etc/dockstack/bin/tempest-smoke $(TESTS)

# By the version that the pinned module asks for.
gophercloud:
	@$(activated) prepare/with-go "$$(sed -n 's/^go //p' tests/gophercloud/go.mod)" \
		python3 -m tests.gophercloud "$$STACK" $(TESTS)

# All that is wrong is told at once, and each linter's words stay together.
lint:
	@prepare/linters
	@$(MAKE) --no-print-directory --keep-going --jobs --output-sync=target $(addprefix lint-,$(linters))

lint-python:
	@$(activated) ruff check . $(python_scripts)
	@$(activated) ruff format --check . $(python_scripts)
	@$(activated) for template in $(python_templates); do \
		$(plain) "$$template" | ruff check --stdin-filename="$${template%.j2}.py" -; \
		$(plain) "$$template" | ruff format --check --stdin-filename="$${template%.j2}.py" - >/dev/null || \
			{ echo "ruff format would change $$template"; exit 1; }; done

# Programs that run in containers are modules of their own, with the libraries of their images.
lint-types:
	@$(activated) mypy
	@$(activated) mypy --scripts-are-modules $(python_scripts)
	@$(activated) plain=$$(mktemp -d); trap 'rm -rf -- "$$plain"' EXIT; for template in $(python_templates); do \
		$(plain) "$$template" >"$$plain/$$(basename "$$template" .j2)"; done; mypy --scripts-are-modules "$$plain"/*

lint-shell:
	@$(activated) shellcheck --external-sources --source-path=SCRIPTDIR $(shell_scripts)

lint-puppet:
	@$(activated) puppet-lint --fail-on-warnings $(call ending,pp)
	@$(activated) puppet parser validate $(puppet_options) $(call ending,pp)
	@$(activated) puppet epp validate $(puppet_options) $(call ending,epp)
	@for template in $(call ending,erb); do \
		erb -P -x -T - "$$template" | ruby -c >/dev/null || { echo "erb: $$template"; exit 1; }; done

lint-ruby:
	@$(activated) rubocop --cache-root "$$DOCKSTACK_HOME/cache/rubocop" $(call ending,rb) $(ruby_scripts)

# Whether it is JavaScript; the tests have a browser run the page.
lint-javascript:
	@for file in $(call ending,js); do node --check "$$file"; done

lint-go:
	@prepare/go lint

docs:
	@$(activated) python3 -m commands.reference

bench:
	@prepare/compose
	@$(activated) python3 -m tests.bench

chart:
	@$(activated) python3 -m tests.bench.chart
