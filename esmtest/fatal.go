package esmtest

import (
	"fmt"
	"testing"
)

func fatal(tb testing.TB, err error) { fatalf(tb, "%v", err) }

// fatalf ends the test, or without one, in an example, the program.
func fatalf(tb testing.TB, format string, args ...any) {
	if tb == nil {
		panic("esmtest: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // documented: a nil testing.TB leaves no test to fail
	}
	tb.Helper()
	tb.Fatalf("esmtest: "+format, args...)
}
