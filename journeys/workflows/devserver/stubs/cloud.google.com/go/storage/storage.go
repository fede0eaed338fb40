// Package storage stands in for Google Cloud Storage, which the server can archive to: no client can be made.
package storage

import (
	"context"
	"errors"
	"time"

	"google.golang.org/api/option"
)

var errLeftOut = errors.New("Google Cloud Storage is left out of this development server")

const ScopeFullControl = ""

type (
	Client       struct{}
	BucketHandle struct{}
	ObjectHandle struct{}
	Writer       struct{}
	Reader       struct{}
	BucketAttrs  struct{}

	ObjectAttrs struct {
		Name    string
		Created time.Time
	}

	Query struct {
		Prefix string
	}

	ObjectIterator struct{}
)

func NewClient(context.Context, ...option.ClientOption) (*Client, error) { return nil, errLeftOut }

func (*Client) Bucket(string) *BucketHandle { return nil }

func (*BucketHandle) Object(string) *ObjectHandle                     { return nil }
func (*BucketHandle) Objects(context.Context, *Query) *ObjectIterator { return nil }
func (*BucketHandle) Attrs(context.Context) (*BucketAttrs, error)     { return nil, errLeftOut }

func (*ObjectIterator) Next() (*ObjectAttrs, error) { return nil, errLeftOut }

func (*ObjectHandle) NewWriter(context.Context) *Writer           { return nil }
func (*ObjectHandle) NewReader(context.Context) (*Reader, error)  { return nil, errLeftOut }
func (*ObjectHandle) Attrs(context.Context) (*ObjectAttrs, error) { return nil, errLeftOut }

func (*Writer) Write([]byte) (int, error)  { return 0, errLeftOut }
func (*Writer) Close() error               { return errLeftOut }
func (*Writer) CloseWithError(error) error { return errLeftOut }

func (*Reader) Read([]byte) (int, error) { return 0, errLeftOut }
func (*Reader) Close() error             { return errLeftOut }
