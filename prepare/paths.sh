# shellcheck shell=sh disable=SC2034,SC2154
# The one place that says where things are. Sourced by `activate` (any POSIX shell) and by prepare/lib.sh, with
# dockstack_checkout already set. Whatever is generated lives below DOCKSTACK_HOME, outside every checkout.

DOCKSTACK_HOME=${DOCKSTACK_HOME:-/var/lib/dockstack}
export DOCKSTACK_HOME

# What prepare chose for this checkout (engine, Python environment): each clone has its own record.
dockstack_record=$DOCKSTACK_HOME/checkouts/$(printf '%s' "$dockstack_checkout" | sha256sum | cut -c 1-16)
dockstack_backend=file://$DOCKSTACK_HOME/backend
dockstack_passphrase=$DOCKSTACK_HOME/passphrase
dockstack_pulumi_home=$DOCKSTACK_HOME/pulumi

# Pulumi goes by the user's entry in the password database, not by HOME.
dockstack_user_home=$(getent passwd "$(id -u)" | cut -d: -f6)
dockstack_user_home=${dockstack_user_home:-${HOME:-/}}
