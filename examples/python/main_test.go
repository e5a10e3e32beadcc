package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/internal/functest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = "1000 orders polled, 666 filtered out, 333 shipped, 1 given up"

// The same function has the same results in workers of this process and on the runtime interface emulator.
func TestRun(t *testing.T) {
	python := functest.Python(t)
	for name, args := range map[string][]string{"workers": nil, "emulator": {"-emulator", functest.RIE(t)}} {
		var out strings.Builder
		if err := run(t.Context(), append(args, "-python", python), &out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestMissing(t *testing.T) {
	if err := run(t.Context(), []string{"-python", "no-such-python"}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "needs Python") {
		t.Errorf("got %v", err)
	}
}
