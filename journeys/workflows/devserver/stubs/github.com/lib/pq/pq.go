// Package pq stands in for a PostgreSQL driver: this development server keeps its state in SQLite, and the driver
// cannot connect.
package pq

import (
	"database/sql/driver"
	"errors"
)

type (
	Driver    struct{}
	Connector struct{ driver.Connector }
	ErrorCode string

	Error struct {
		Code    ErrorCode
		Message string
	}
)

var errLeftOut = errors.New("PostgreSQL is left out of this development server")

func (*Error) Error() string { return errLeftOut.Error() }

func (Driver) Open(string) (driver.Conn, error) { return nil, errLeftOut }

func NewConnector(string) (*Connector, error) { return nil, errLeftOut }
