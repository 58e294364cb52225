# shellcheck shell=bash
# What compiles Go on this machine gets from here. Sourced after lib.sh, never run.

# Puts a Go on PATH that is new enough, without touching what others on this machine use.
provide_go() {
    local wanted=$1 have
    if ! command -v go >/dev/null && [[ -x /usr/local/go/bin/go ]]; then
        PATH=$PATH:/usr/local/go/bin
    fi
    if ! command -v go >/dev/null; then
        require_root
        say "installing the distribution's Go"
        apt-cache show golang-go >/dev/null 2>&1 || apt_update
        apt_install golang-go
    fi
    export GOFLAGS='' GOWORK=off
    cd / # no go.mod may decide
    have=$(GOTOOLCHAIN=local go env GOVERSION)
    have=${have#go}
    if version_at_least "$have" "$wanted"; then
        export GOTOOLCHAIN=local
    elif version_at_least "$have" 1.21; then
        say "Go $have fetches Go $wanted from the module proxy"
        export GOTOOLCHAIN=go$wanted
    else
        # This Go can't change itself for another, but can fetch that one as the module that it is, checked
        # against Go's checksum database.
        say "Go $have fetches Go $wanted from the module proxy"
        local module architecture toolchain
        architecture=$(go env GOARCH)
        module=golang.org/toolchain@v0.0.1-go$wanted.linux-$architecture
        toolchain=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
        [[ -d $toolchain ]] || fail "can't fetch $module"
        # The module cache keeps no execute bits, and is read-only.
        chmod u+w "$toolchain"/{bin,pkg/tool/*} "$toolchain"/{bin,pkg/tool/*}/*
        chmod -R u+x "$toolchain"/{bin,pkg/tool}
        PATH=$toolchain/bin:$PATH
        export GOTOOLCHAIN=local
    fi
    export PATH
    say "building with $(go version | cut -d ' ' -f 3)"
}
