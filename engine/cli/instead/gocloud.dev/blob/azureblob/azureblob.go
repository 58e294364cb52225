// Package azureblob stands for the backend azblob://, which brings Azure's SDK along.
package azureblob

import (
	"context"
	"errors"
	"net/url"

	"gocloud.dev/blob"
)

// Scheme is that of the backend's URLs.
const Scheme = "azblob"

// A scheme that isn't there would be taken for Pulumi Cloud's.
func init() { blob.DefaultURLMux().RegisterBucket(Scheme, &URLOpener{}) }

// URLOpener opens nothing.
type URLOpener struct {
	MakeClient        func()
	ServiceURLOptions struct{}
}

// NewDefaultClient does nothing.
func NewDefaultClient() {}

// NewDefaultServiceURLOptions returns no options.
func NewDefaultServiceURLOptions() *struct{} { return &struct{}{} }

// OpenBucketURL fails: state can't be kept in Azure's storage.
func (*URLOpener) OpenBucketURL(context.Context, *url.URL) (*blob.Bucket, error) {
	return nil, errors.New("this pulumi is built without the backend azblob://: use file://, postgres:// or https://")
}
