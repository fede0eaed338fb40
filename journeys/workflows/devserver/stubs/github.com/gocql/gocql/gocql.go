// Package gocql stands in for a client of Cassandra: this development server keeps its state in SQLite, and no session
// can be made.
package gocql

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

var errLeftOut = errors.New("Cassandra is left out of this development server")

var (
	ErrNoConnections     = errors.New("no connections")
	ErrSessionClosed     = errors.New("session closed")
	ErrTimeoutNoResponse = errors.New("no response in time")
	ErrConnectionClosed  = errors.New("connection closed")
	ErrNotFound          = errors.New("not found")
)

const (
	ErrCodeOverloaded = 0x1001
	ErrCodeInvalid    = 0x2200
)

type (
	Consistency       uint16
	SerialConsistency uint16
	BatchType         byte
	UUID              [16]byte
)

const (
	Any Consistency = iota
	One
	Two
	Three
	Quorum
	All
	LocalQuorum
	EachQuorum
	LocalOne
)

const (
	LoggedBatch BatchType = iota
	UnloggedBatch
	CounterBatch
)

type (
	Authenticator              any
	HostFilter                 any
	HostSelectionPolicy        any
	ReconnectionPolicy         any
	SpeculativeExecutionPolicy any

	PasswordAuthenticator struct {
		Username, Password    string
		AllowedAuthenticators []string
	}

	ExponentialReconnectionPolicy struct {
		MaxRetries                   int
		InitialInterval, MaxInterval time.Duration
	}

	AddressTranslator interface {
		Translate(net.IP, int) (net.IP, int)
	}
	AddressTranslatorFunc func(net.IP, int) (net.IP, int)

	SslOptions struct {
		*tls.Config
		CaPath                 string
		EnableHostVerification bool
	}

	PoolConfig struct{ HostSelectionPolicy HostSelectionPolicy }

	ClusterConfig struct {
		ProtoVersion, Port, NumConns          int
		Keyspace                              string
		Authenticator                         Authenticator
		HostFilter                            HostFilter
		SslOpts                               *SslOptions
		ConnectTimeout, Timeout, WriteTimeout time.Duration
		Consistency                           Consistency
		SerialConsistency                     SerialConsistency
		DisableInitialHostLookup              bool
		ReconnectionPolicy                    ReconnectionPolicy
		PoolConfig                            PoolConfig
		AddressTranslator                     AddressTranslator
	}

	RequestError interface {
		Code() int
		Message() string
		Error() string
	}

	RequestErrWriteTimeout struct{}

	Session struct{}
	Batch   struct{}
	Query   struct{}
	Iter    struct{}
)

func (*RequestErrWriteTimeout) Error() string { return errLeftOut.Error() }

func (UUID) String() string { return "" }

func (f AddressTranslatorFunc) Translate(ip net.IP, port int) (net.IP, int) { return f(ip, port) }

func (*SerialConsistency) UnmarshalText([]byte) error { return errLeftOut }

func ParseConsistency(string) Consistency                 { panic(errLeftOut) }
func ParseConsistencyWrapper(string) (Consistency, error) { return 0, errLeftOut }

func DataCentreHostFilter(string) HostFilter                       { return nil }
func RoundRobinHostPolicy() HostSelectionPolicy                    { return nil }
func TokenAwareHostPolicy(HostSelectionPolicy) HostSelectionPolicy { return nil }

func NewCluster(...string) *ClusterConfig { return &ClusterConfig{} }

func (*ClusterConfig) CreateSession() (*Session, error) { return nil, errLeftOut }

func (*Session) Query(string, ...any) *Query                { return nil }
func (*Session) NewBatch(BatchType) *Batch                  { return nil }
func (*Session) ExecuteBatch(*Batch) error                  { return errLeftOut }
func (*Session) AwaitSchemaAgreement(context.Context) error { return errLeftOut }
func (*Session) Close()                                     {}

func (*Session) MapExecuteBatchCAS(*Batch, map[string]any) (bool, *Iter, error) {
	return false, nil, errLeftOut
}

func (*Batch) Query(string, ...any)                 {}
func (b *Batch) WithContext(context.Context) *Batch { return b }
func (b *Batch) WithTimestamp(int64) *Batch         { return b }

func (*Query) Exec() error                             { return errLeftOut }
func (*Query) Scan(...any) error                       { return errLeftOut }
func (*Query) ScanCAS(...any) (bool, error)            { return false, errLeftOut }
func (*Query) MapScan(map[string]any) error            { return errLeftOut }
func (*Query) MapScanCAS(map[string]any) (bool, error) { return false, errLeftOut }
func (*Query) Iter() *Iter                             { return nil }
func (q *Query) PageSize(int) *Query                   { return q }
func (q *Query) PageState([]byte) *Query               { return q }
func (q *Query) Consistency(Consistency) *Query        { return q }
func (q *Query) WithTimestamp(int64) *Query            { return q }
func (q *Query) WithContext(context.Context) *Query    { return q }
func (q *Query) Bind(...any) *Query                    { return q }
func (q *Query) Idempotent(bool) *Query                { return q }

func (q *Query) SetSpeculativeExecutionPolicy(SpeculativeExecutionPolicy) *Query { return q }

func (*Iter) Scan(...any) bool            { return false }
func (*Iter) MapScan(map[string]any) bool { return false }
func (*Iter) PageState() []byte           { return nil }
func (*Iter) Close() error                { return errLeftOut }
