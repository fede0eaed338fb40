// Package stdlib has what the server names of a PostgreSQL driver, which is left out.
package stdlib

import (
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
)

type OptionOpenDB struct{}

type none struct{}

func (none) Open(string) (driver.Conn, error)             { return nil, pgx.ErrLeftOut }
func (none) Connect(context.Context) (driver.Conn, error) { return nil, pgx.ErrLeftOut }
func (none) Driver() driver.Driver                        { return none{} }

func GetDefaultDriver() driver.Driver { return none{} }

func GetConnector(pgx.ConnConfig, ...OptionOpenDB) driver.Connector { return none{} }

func OptionAfterConnect(func(context.Context, *pgx.Conn) error) OptionOpenDB { return OptionOpenDB{} }
