// Package s3 holds the one type of AWS's SDK that the backend of files knows, where its files might be in S3.
package s3

// CopyObjectInput is never asked for in this build.
type CopyObjectInput struct {
	CopySource *string
}
