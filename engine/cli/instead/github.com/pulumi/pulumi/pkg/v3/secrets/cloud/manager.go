// Package cloud stands for upstream's secrets managers of cloud providers and Vault, which bring their SDKs along.
package cloud

import (
	"encoding/json"
	"errors"

	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Type is the type of these secrets managers in a state.
const Type = "cloud"

var errLeftOut = errors.New("this pulumi is built without the secrets providers awskms, azurekeyvault, gcpkms and " +
	"hashivault: use a passphrase, or Pulumi's own release")

// EditProjectStack fails: no stack has such a manager.
func EditProjectStack(*workspace.ProjectStack, json.RawMessage) error { return errLeftOut }

// NewCloudSecretsManagerFromState fails: a state with such a manager can't be read.
func NewCloudSecretsManagerFromState(json.RawMessage) (secrets.Manager, error) {
	return nil, errLeftOut
}

// NewCloudSecretsManager fails.
func NewCloudSecretsManager(*workspace.ProjectStack, string, bool) (secrets.Manager, error) {
	return nil, errLeftOut
}
