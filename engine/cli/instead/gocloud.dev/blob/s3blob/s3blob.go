// Package s3blob stands for the backend s3://, which brings AWS's SDK along.
package s3blob

import (
	"context"
	"errors"
	"net/url"

	"gocloud.dev/blob"
)

type opener struct{}

// A scheme that isn't there would be taken for Pulumi Cloud's.
func init() { blob.DefaultURLMux().RegisterBucket("s3", opener{}) }

// OpenBucketURL fails: state can't be kept in S3.
func (opener) OpenBucketURL(context.Context, *url.URL) (*blob.Bucket, error) {
	return nil, errors.New("this pulumi is built without the backend s3://: use file://, postgres:// or https://")
}
