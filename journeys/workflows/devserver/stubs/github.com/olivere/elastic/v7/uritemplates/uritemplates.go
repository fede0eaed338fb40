// Package uritemplates has what the server names of a client of Elasticsearch, which is left out.
package uritemplates

import "errors"

func Expand(string, map[string]string) (string, error) {
	return "", errors.New("Elasticsearch is left out of this development server")
}
