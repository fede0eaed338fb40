// Package mysql stands in for a MySQL driver: this development server keeps its state in SQLite, and the driver cannot
// connect.
package mysql

import (
	"crypto/tls"
	"database/sql/driver"
	"errors"
)

var errLeftOut = errors.New("MySQL is left out of this development server")

type (
	MySQLDriver struct{}

	Config struct {
		User, Passwd, Net, Addr, DBName string

		Params         map[string]string
		RejectReadOnly bool
	}

	MySQLError struct {
		Number  uint16
		Message string
	}
)

func (MySQLDriver) Open(string) (driver.Conn, error)               { return nil, errLeftOut }
func (MySQLDriver) OpenConnector(string) (driver.Connector, error) { return nil, errLeftOut }

func (e *MySQLError) Error() string { return e.Message }

func NewConfig() *Config { return &Config{} }

func (*Config) FormatDSN() string { return "" }

func RegisterTLSConfig(string, *tls.Config) error { return errLeftOut }
