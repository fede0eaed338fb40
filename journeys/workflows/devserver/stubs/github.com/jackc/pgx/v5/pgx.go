// Package pgx stands in for a PostgreSQL driver: this development server keeps its state in SQLite, and no
// configuration can be parsed.
package pgx

import "errors"

var ErrLeftOut = errors.New("PostgreSQL is left out of this development server")

type (
	ConnConfig struct{}
	Conn       struct{}
	TypeMap    struct{}
)

func ParseConfig(string) (*ConnConfig, error) { return nil, ErrLeftOut }

func (*Conn) TypeMap() *TypeMap { return nil }

func (*TypeMap) RegisterDefaultPgType(any, string) {}
