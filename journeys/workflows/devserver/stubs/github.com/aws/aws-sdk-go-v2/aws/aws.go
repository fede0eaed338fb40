// Package aws has what the server names of Amazon's SDK, which is left out with S3 and with Elasticsearch.
package aws

import (
	"context"
	"errors"
)

var ErrLeftOut = errors.New("Amazon's SDK is left out of this development server")

type (
	Config struct {
		Credentials CredentialsProvider
	}

	Credentials struct {
		AccessKeyID, SecretAccessKey, SessionToken string
	}

	CredentialsProvider interface {
		Retrieve(context.Context) (Credentials, error)
	}

	ClientLogMode uint64

	Retryer interface {
		IsErrorRetryable(error) bool
	}
)

func String(value string) *string { return &value }
func Int32(value int32) *int32    { return &value }
