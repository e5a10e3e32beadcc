package mapping

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFieldError(t *testing.T) {
	tests := []struct {
		err  FieldError
		want string
	}{
		{FieldError{Field: "Topics", Reason: "name one"}, "esm: Topics: name one"},
		{FieldError{Field: "BatchSize", Value: -1, Reason: "must be more"}, "esm: BatchSize = -1: must be more"},
		{FieldError{Field: "Topics[0]", Value: "a\nb", Reason: "no"}, `esm: Topics[0] = "a\nb": no`},
		{FieldError{Field: "Topics[0]", Value: "a" + strings.Repeat("é", 100), Reason: "no"},
			`esm: Topics[0] = "a` + strings.Repeat("é", 39) + `"… (201 bytes): no`},
		{FieldError{Field: "Topics[0]", Value: strings.Repeat("\x80", 100), Reason: "no"},
			`esm: Topics[0] = ""… (100 bytes): no`},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	err := error(&FieldError{Field: "Topics", Err: io.EOF})
	if !errors.Is(err, ErrInvalid) || !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("a FieldError is ErrInvalid and its cause, and nothing else")
	}
}
