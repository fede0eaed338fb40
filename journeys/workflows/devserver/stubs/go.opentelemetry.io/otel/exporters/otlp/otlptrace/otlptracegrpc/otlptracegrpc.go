// Package otlptracegrpc stands in for an exporter of OpenTelemetry, which nobody reads of this development server: none
// can be made.
package otlptracegrpc

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
)

var errLeftOut = errors.New("exporters of OpenTelemetry are left out of this development server")

type (
	Option struct{}

	RetryConfig struct {
		Enabled                                      bool
		InitialInterval, MaxInterval, MaxElapsedTime time.Duration
	}
)

func New(context.Context, ...Option) (trace.SpanExporter, error) { return nil, errLeftOut }

func NewUnstarted(...Option) trace.SpanExporter { return none{} }

type none struct{}

func (none) Start(context.Context) error                             { return errLeftOut }
func (none) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return errLeftOut }
func (none) Shutdown(context.Context) error                          { return nil }

func WithEndpoint(string) Option               { return Option{} }
func WithHeaders(map[string]string) Option     { return Option{} }
func WithTimeout(time.Duration) Option         { return Option{} }
func WithDialOption(...grpc.DialOption) Option { return Option{} }
func WithRetry(RetryConfig) Option             { return Option{} }
func WithInsecure() Option                     { return Option{} }
func WithGRPCConn(*grpc.ClientConn) Option     { return Option{} }
