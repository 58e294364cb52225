# shellcheck shell=bash disable=SC2034,SC2154
# Python environments outside the checkout, for the scripts in prepare/ that make one. Sourced after prepare/lib.sh, never run.

# provide_environment LOCK: sets `environment` to the directory of one that has what LOCK names; one that was made from the same
# lock is used again. DOCKSTACK_PYTHON names the interpreter (3.11 or newer); otherwise the distribution's, or python3 from PATH.
provide_environment() {
    local lock=$1 interpreter identity
    interpreter=$(usable_python)
    make_home
    # The interpreter's own place is part of it: an environment dies with the interpreter it was made from.
    identity=$("$interpreter" -c 'import sys; print(sys.version, sys.base_prefix)')
    environment=$DOCKSTACK_HOME/venv/$({ printf '%s\n' "$identity"; cat -- "$lock"; } | sha256sum | cut -c 1-16)

    if [[ ! -e $environment/complete ]]; then
        under_lock python
    fi
    if [[ -e $environment/complete ]]; then
        say "environment $environment is up to date"
        return
    fi
    say "installing $(grep -c -- '==' "$lock") packages from PyPI for Python ${identity%% *} into $environment"
    # An environment can't be moved once made; the mark at the end tells a whole one from an interrupted one.
    rm -rf -- "$environment"
    install -d -m 0755 -- "$DOCKSTACK_HOME/venv"
    # With these set, the compiled files would not land where they are looked for.
    unset PYTHONPYCACHEPREFIX PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
    "$interpreter" -m venv -- "$environment"
    if ! with_progress "Python packages" "$environment/bin/python3" -m pip --quiet --disable-pip-version-check --no-input \
        --no-cache-dir install --no-deps --only-binary :all: --require-hashes --requirement "$lock"; then
        fail "pip could not install the packages"
    fi
    touch -- "$environment/complete"
    say "environment ready after $SECONDS s"
}
