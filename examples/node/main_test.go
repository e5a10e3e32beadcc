package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/internal/functest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	_, ric := functest.Node(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"-ric", ric}, &out); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "1000 orders polled, 666 filtered out, 333 shipped, 1 given up") {
		t.Error(out.String())
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := run(t.Context(), nil, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "needs Node") {
		t.Errorf("got %v", err)
	}
}

// The tools that compile aws-lambda-ric are checked before npm starts.
func TestMissingTools(t *testing.T) {
	node, _ := functest.Node(t)
	bin := t.TempDir()
	if err := os.Symlink(node, filepath.Join(bin, "node")); err != nil {
		t.Skip(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := run(t.Context(), nil, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "apt-get install npm cmake") || !strings.Contains(err.Error(), "-ric") {
		t.Errorf("got %v", err)
	}
}
