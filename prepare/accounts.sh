# shellcheck shell=bash
# Runs of which Pulumi keeps no account until their end, and what follows where one was cut off before. Sourced by
# prepare/bin/pulumi.
#
# Such a run has a file in the backend's directory, which says `open`, the process, and which state file it began with.
# Pulumi replaces the state file at the end. So a run whose process is gone, and whose state file is still the one that
# it began with, is lost: what it made, changed and removed is not in the state. Its file then says `lost` and a number.
#
# - The next `up` compares the containers with Docker, and repeats all other steps, each of which may be repeated: the
#   number becomes a part of their parameters. With the number in the state, the run is no longer lost.
# - The next `destroy` removes what the state knows, gone or not, and then all that carries the stack's name.
#
# A `destroy` that was declined is taken for a lost one; all that costs is the next look.
#
# Only where the state and the configuration have nothing but plain containers on this host: they hold no secret, and
# they have no steps that can not be repeated.

# Which state file there is: one that was written anew is another one. components/accounts.py says it in the same words.
state_file_is() { stat --format='%i %.9Y' -- "$1" 2>/dev/null || echo none; }

# Whether process $1 is a Pulumi that works.
is_pulumi() { [[ $(cat "/proc/$1/comm" 2>/dev/null) == pulumi ]]; }

backend='' runs=''
if [[ ${PULUMI_BACKEND_URL:-} == file:///* && $PULUMI_BACKEND_URL != *\?* ]]; then
    backend=${PULUMI_BACKEND_URL#file://}
    runs=$backend/.dockstack
fi

state_of() { printf '%s/.pulumi/stacks/dockstack/%s.json' "$backend" "$1"; }

# Looks at each file of a run: whichever command comes next, it may write the state anew.
look_for_lost_runs() {
    local run what process_or_number began
    [[ -n $runs && -d $runs ]] || return 0
    for run in "$runs"/*; do
        read -r what process_or_number began 2>/dev/null <"$run" || continue
        local stack=${run##*/}
        if [[ $what == open ]] && ! is_pulumi "$process_or_number"; then
            if [[ $began == "$(state_file_is "$(state_of "$stack")")" ]]; then
                printf 'lost %s -\n' "$EPOCHSECONDS" >"$runs/.$stack.new"
                mv -f -- "$runs/.$stack.new" "$run"
            else
                rm -f -- "$run"
            fi
        elif [[ $what == lost ]]; then
            # All that there is has been made since, or there is nothing.
            if grep -Fqs "\"DOCKSTACK_AGAIN\":\"$process_or_number\"" "$(state_of "$stack")" || ! has_resources "$stack"; then
                rm -f -- "$run"
            fi
        fi
    done
}

# Beside each file the backend has one with its attributes, and writes that one in place: a kill may leave it empty, and
# from then on every command fails with "failed to load checkpoint: EOF". Nobody misses the attributes.
forget_empty_attributes() {
    [[ -z $backend ]] || find "$backend"/.pulumi/{stacks,locks} -name '*.attrs' -empty -delete 2>/dev/null || true
}

has_resources() { grep -Fqs '"urn":' "$(state_of "$1")"; }

# only_plain FILE STACK: whether neither the configuration nor the state has anything but plain containers of this host.
# Any doubt means no: all that costs is time.
only_plain() {
    local roles='s/role["'\'']?:[[:blank:]]+["'\'']?plain["'\'']?([[:space:],}]|$)//g'
    [[ -s $1 ]] && grep -q role "$1" &&
        ! sed -E "$roles" "$1" | grep -Eq 'role|hooks|environment|ssh|[\]' &&
        ! grep -Fqs 'dockstack:index:ServiceContainer' "$(state_of "$2")"
}

# keep_account COMMAND STACK FILE: sets the environment of a command, up, preview or destroy, on a stack of that
# configuration.
keep_account() {
    local command=$1 stack=$2 run=$runs/$2 what='' number='' _ directory=$DOCKSTACK_HOME/stacks/$2
    unset DOCKSTACK_LOST DOCKSTACK_ACCOUNT
    [[ -n $runs && ! -e $(state_of "$stack").gz && ! -e $(state_of "$stack").zst ]] || return 0
    read -r what number _ 2>/dev/null <"$run" || true
    if [[ $what == lost ]]; then
        # The last step of a destroy removes the tool that the others work with; it may have come to half of it.
        [[ $command != destroy ]] || of_program components.accounts "$stack"
        [[ $command == destroy ]] || export DOCKSTACK_LOST=$number PULUMI_OPTION_REFRESH=true
        return 0
    fi
    # A first `up` that was lost: there is no step whose undoing would remove what it made.
    if [[ $command == destroy && -d $directory ]] && ! has_resources "$stack"; then
        of_program commands.cleanup after "$stack"
    fi
    [[ $command != preview && $what != open ]] && only_plain "$3" "$stack" || return 0
    mkdir -p -- "$runs"
    export PULUMI_SKIP_CHECKPOINTS=true
    if [[ $command == destroy ]]; then
        printf 'open %s %s\n' "$$" "$(state_file_is "$(state_of "$stack")")" >"$runs/.$stack.new"
        mv -f -- "$runs/.$stack.new" "$run"
    else
        # The program notes it, when it runs in earnest: an `up` that is declined is no run.
        export DOCKSTACK_ACCOUNT="$$ $run"
    fi
}

# shellcheck disable=SC2154
of_program() { (cd -- "$dockstack_checkout" && python3 -m "$@"); }
