# shellcheck shell=bash disable=SC2034
# What the engine is built from: the modules of engine/, and copies of others in which ours stand in for what is left out.
# Sourced by `build`, and by what vets the same, never run.

# Nothing may be taken from elsewhere than go.mod says, nor depend on where it is compiled.
export CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=readonly -trimpath -buildvcs=false"
# A debugger's data, which -s -w would drop at the end, aren't made in the first place.
gcflags=all=-dwarf=false
# docker's Terraform provider without what it has for docker-compose.
docker_options=(-tags no_compose)

engine=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# stage DIRECTORY: makes there what go's -modfile is given, DIRECTORY/cli.mod and so on, with the copies that these name.
stage() {
    local stage=$1 directory
    for directory in cli language-host command docker; do
        cp -- "$engine/$directory/go.mod" "$stage/$directory.mod"
        cp -- "$engine/$directory/go.sum" "$stage/$directory.sum"
    done
    without cli github.com/pulumi/pulumi/pkg/v3 cmd/pulumi/cloud
    without cli gocloud.dev blob/azureblob blob/gcsblob blob/s3blob
    replace cli github.com/aws/aws-sdk-go-v2/service/s3 "$engine/cli/instead/github.com/aws/aws-sdk-go-v2/service/s3"
    without docker github.com/docker/buildx driver/kubernetes/driver.go driver/kubernetes/factory.go
}

# without DIRECTORY MODULE [PATH...]: has DIRECTORY built with a copy of MODULE in which ours, from DIRECTORY/instead/MODULE,
# stands in the place of the paths. README.md says what is left out that way, and why.
without() {
    local directory=$1 module=$2 copy=$stage/upstream/$1/$2 source
    shift 2
    go mod download -C "$engine/$directory" "$module"
    source=$(go list -C "$engine/$directory" -m -f '{{.Dir}}' "$module")
    mkdir -p -- "$(dirname -- "$copy")"
    # The module cache is read-only.
    cp -r --no-preserve=mode -- "$source" "$copy"
    # Its tests would be vetted with what is ours, and need more than is there.
    (cd -- "$copy" && rm -rf -- "$@" && find . -name '*_test.go' -delete)
    cp -r -- "$engine/$directory/instead/$module/." "$copy"
    replace "$directory" "$module" "$copy"
}

# replace DIRECTORY MODULE PATH: has DIRECTORY built with the module at PATH in the place of MODULE.
replace() { go mod edit -replace="$2=$3" "$stage/$1.mod"; }

# stand_ins DIRECTORY: prints the packages that ours stand in for.
stand_ins() { (cd -- "$engine/$1/instead" && find . -name '*.go' -printf '%P\n' | xargs dirname | sort -u); }
