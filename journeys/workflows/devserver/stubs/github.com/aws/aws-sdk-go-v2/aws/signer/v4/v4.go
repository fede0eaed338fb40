// Package v4 has what the server names of Amazon's SDK, which is left out.
package v4

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

type Signer struct{}

func NewSigner() *Signer { return &Signer{} }

func (*Signer) SignHTTP(
	context.Context, aws.Credentials, *http.Request, string, string, string, time.Time,
) error {
	return aws.ErrLeftOut
}
