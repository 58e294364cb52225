// Package secrets keeps the secret values of a request out of what is printed about it.
package secrets

import (
	"context"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

const (
	mask = "[secret]"
	// A value shorter than this is too likely to be part of other text, and masking it tells what it is.
	minValue = 3
	// A line of a value with several lines is masked by itself from this length on: a log shows it line by line.
	minLine = 8
)

type contextKey struct{}

// With returns a context in which Redact knows the secret strings inside the given property maps.
func With(ctx context.Context, maps ...property.Map) context.Context {
	var found []string
	for _, m := range maps {
		found = collect(found, property.New(m), false)
	}
	return context.WithValue(ctx, contextKey{}, NewRedactor(found))
}

// From returns the redactor that With put into the context, or one that changes nothing.
func From(ctx context.Context) *Redactor {
	if r, ok := ctx.Value(contextKey{}).(*Redactor); ok {
		return r
	}
	return NewRedactor(nil)
}

func collect(found []string, v property.Value, secret bool) []string {
	secret = secret || v.Secret()
	switch {
	case v.IsMap():
		for _, e := range v.AsMap().All {
			found = collect(found, e, secret)
		}
	case v.IsArray():
		for _, e := range v.AsArray().All {
			found = collect(found, e, secret)
		}
	case v.IsString() && secret:
		found = append(found, v.AsString())
	}
	return found
}

// Redactor replaces secret values in text.
type Redactor struct{ replacer *strings.Replacer }

// NewRedactor returns a redactor of the given values.
func NewRedactor(values []string) *Redactor {
	var parts []string
	for _, value := range values {
		if len(value) >= minValue {
			parts = append(parts, value)
		}
		if trimmed := strings.TrimSpace(value); trimmed != value && len(trimmed) >= minValue {
			parts = append(parts, trimmed)
		}
		if strings.Contains(value, "\n") {
			for line := range strings.Lines(value) {
				if line = strings.TrimSpace(line); len(line) >= minLine {
					parts = append(parts, line)
				}
			}
		}
	}
	// The longest first: a secret can hold another one.
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, part := range slices.Compact(parts) {
		pairs = append(pairs, part, mask)
	}
	return &Redactor{strings.NewReplacer(pairs...)}
}

// Redact returns the text with every secret value masked.
func (r *Redactor) Redact(text string) string { return r.replacer.Replace(text) }
