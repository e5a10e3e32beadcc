//go:build unix

package runtime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/internal/functest"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// lines returns what was logged, decoded.
func (j *journal) lines(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(j.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(j, nil)) }

func testdata(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// python is the configuration of testdata/app.py.
func python(t testing.TB, handler string) runtime.Config {
	t.Helper()
	return runtime.Config{FunctionName: "orders", Command: []string{functest.Python(t), "-m", "awslambdaric", handler}, Dir: testdata(t),
		Timeout: time.Minute, Environment: map[string]string{"PYTHONDONTWRITEBYTECODE": "1"}}
}

// begin creates and starts a pool that is stopped with the test.
func begin(t testing.TB, c runtime.Config, opts ...runtime.Option) (*runtime.Pool, *journal) {
	t.Helper()
	p, j := pool(t, c, opts...)
	if err := p.Start(t.Context()); err != nil {
		t.Fatalf("%v; log: %s", err, j)
	}
	return p, j
}

func pool(t testing.TB, c runtime.Config, opts ...runtime.Option) (*runtime.Pool, *journal) {
	t.Helper()
	j := &journal{}
	// A busy machine may take long to start a process.
	p, err := runtime.New(c, append([]runtime.Option{runtime.WithLogger(j.logger()), runtime.WithInitTimeout(time.Minute)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(context.Background()) })
	return p, j
}

// invoke passes one event with these values to the function, without a mapping.
func invoke(t testing.TB, p *runtime.Pool, values ...string) error {
	t.Helper()
	return p.Handle(t.Context(), esmtest.Event("t", esmtest.Values(values...)...))
}

// mapping returns a mapping for esmtest.Invoke.
func mapping(attempts int) esm.Mapping {
	return esm.Mapping{FunctionName: "orders", Topics: []string{"t"}, MaximumRetryAttempts: new(attempts),
		FunctionResponseTypes: []esm.FunctionResponseType{esm.ReportBatchItemFailures}}
}
