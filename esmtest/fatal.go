package esmtest

import (
	"fmt"
	"testing"
)

func fatal(tb testing.TB, err error) { fatalf(tb, "%v", err) }

// fatalf ends the test. Without one, as in an example, it panics.
func fatalf(tb testing.TB, format string, args ...any) {
	if tb == nil {
		panic("esmtest: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // documented: a nil testing.TB leaves no test to fail
	}
	tb.Helper()
	tb.Fatalf("esmtest: "+format, args...)
}
