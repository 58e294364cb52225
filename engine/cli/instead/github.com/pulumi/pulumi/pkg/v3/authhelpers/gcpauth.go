// Package authhelpers stands for upstream's logins at Google, which bring its SDK along.
package authhelpers

import (
	"context"
	"errors"

	"gocloud.dev/blob"
)

// GoogleCredentialsMux fails: state can't be kept in Google's storage.
func GoogleCredentialsMux(context.Context) (*blob.URLMux, error) {
	return nil, errors.New("this pulumi is built without the backend gs://: use file://, postgres:// or https://")
}
