package invoke_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/esm-go/esm/function/invoke"
)

// double answers Lambda's API with configured answers.
type double struct {
	mu     sync.Mutex
	config func(http.ResponseWriter)
	invoke func(http.ResponseWriter, *http.Request, []byte)
	asked  []*http.Request
	looks  int
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Amzn-Requestid", "11111111-2222-4333-8444-555555555555")
	if r.Method == http.MethodGet {
		d.looks++
		if d.config == nil {
			_, _ = io.WriteString(w, `{"State":"Active","Timeout":30}`)
			return
		}
		d.config(w)
		return
	}
	d.asked = append(d.asked, r)
	if d.invoke != nil {
		d.invoke(w, r, body)
	}
}

// requests returns the invocations so far.
func (d *double) requests() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// fault returns an answer with one of Lambda's errors.
func fault(status int, kind string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("X-Amzn-Errortype", kind)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"Type":"User","message":"about %s","Message":"about %s"}`, kind, kind)
	}
}

func serve(t *testing.T, d *double, name string, opts ...invoke.Option) *invoke.Function {
	t.Helper()
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	f, err := invoke.New(client(t, s.URL), name, append([]invoke.Option{quiet}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
