// Package sprig stands in for functions of templates in files of configuration, of which this development server reads
// none: a template that calls one is refused as unknown.
package sprig

func FuncMap() map[string]any { return nil }
