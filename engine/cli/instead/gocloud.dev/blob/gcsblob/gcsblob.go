// Package gcsblob stands for the backend gs://, which brings Google's SDK along; authhelpers refuses it.
package gcsblob

import (
	"context"
	"errors"
	"net/url"

	"gocloud.dev/blob"
)

// Scheme is that of the backend's URLs.
const Scheme = "gs"

type opener struct{}

// A scheme that isn't there would be taken for Pulumi Cloud's.
func init() { blob.DefaultURLMux().RegisterBucket(Scheme, opener{}) }

// OpenBucketURL fails: state can't be kept in Google's storage.
func (opener) OpenBucketURL(context.Context, *url.URL) (*blob.Bucket, error) {
	return nil, errors.New("this pulumi is built without the backend gs://: use file://, postgres:// or https://")
}
