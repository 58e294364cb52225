# shellcheck shell=sh
# Keeps a proxy for the way out away from what speaks to this machine itself, above all Pulumi's engine, program and
# plugins: gRPC's library in Python asks a proxy even for the loopback. Sourced by `activate`, prepare/lib.sh and
# prepare/bin/pulumi; without a proxy it changes nothing.

# dockstack_bypass VARIABLE: adds the loopback to a list of what no proxy is asked for.
dockstack_bypass() {
    eval "dockstack_list=\${$1:-}"
    for dockstack_entry in localhost 127.0.0.1 ::1; do
        # shellcheck disable=SC2154
        case ,$dockstack_list, in
        *,"$dockstack_entry",*) ;;
        *) dockstack_list=${dockstack_list:+$dockstack_list,}$dockstack_entry ;;
        esac
    done
    eval "$1=\$dockstack_list"
    # shellcheck disable=SC2163
    export "$1"
}

if [ -n "${http_proxy:-}${https_proxy:-}${all_proxy:-}${HTTP_PROXY:-}${HTTPS_PROXY:-}${ALL_PROXY:-}${grpc_proxy:-}" ]; then
    # Some programs read the one name, some the other, and some prefer one of the two.
    no_proxy=${no_proxy:-${NO_PROXY:-}}
    NO_PROXY=${NO_PROXY:-$no_proxy}
    # A star is one only where it stands alone, and gRPC knows none.
    if [ "$no_proxy" != '*' ]; then dockstack_bypass no_proxy; fi
    if [ "$NO_PROXY" != '*' ]; then dockstack_bypass NO_PROXY; fi
    if [ "$no_proxy" = '*' ] || [ -n "${no_grpc_proxy:-}" ]; then dockstack_bypass no_grpc_proxy; fi
    export no_proxy NO_PROXY
fi
unset -f dockstack_bypass
unset dockstack_list dockstack_entry
