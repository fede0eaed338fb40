// Package pgconn has what the server names of a PostgreSQL driver, which is left out.
package pgconn

type PgError struct {
	Code    string
	Message string
}

func (e *PgError) Error() string { return e.Message }
