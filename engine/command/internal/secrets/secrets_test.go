package secrets

import (
	"context"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestRedact(t *testing.T) {
	r := NewRedactor([]string{"hunter2", "hunter2-longer", "ab", "-----BEGIN-----\nline of a key\nxy\n", "trailing\n"})
	for in, want := range map[string]string{
		"password hunter2!":    "password [secret]!",
		"hunter2-longer":       "[secret]",
		"ab is too short":      "ab is too short",
		"got: line of a key":   "got: [secret]",
		"xy stays":             "xy stays",
		"without end trailing": "without end [secret]",
	} {
		if got := r.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWithCollectsNestedSecretsOnly(t *testing.T) {
	inputs := property.NewMap(map[string]property.Value{
		"create": property.New("visible"),
		"environment": property.New(property.NewMap(map[string]property.Value{
			"A": property.New("nested-secret").WithSecret(true),
			"B": property.New("public-value"),
		})),
		"triggers": property.New(property.NewArray([]property.Value{property.New("in-secret-list")})).WithSecret(true),
	})
	got := From(With(context.Background(), inputs)).Redact("visible nested-secret public-value in-secret-list")
	if want := "visible [secret] public-value [secret]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
