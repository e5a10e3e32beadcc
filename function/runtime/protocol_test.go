//go:build unix

package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/internal/functest"
)

// What a runtime that violates the protocol is answered, and what happens to the batch.
func TestProtocol(t *testing.T) {
	for _, tc := range []struct {
		mode, fails string // text of the invocation's error; empty = it succeeds
		said        []string
	}{
		{"twice", "", []string{"response 202", `response 400 {"errorMessage":"Invalid request ID"`, "error 400"}},
		{"other id", "Mine: after another id", []string{"response 400", "error 202"}},
		{"no answer", "had not answered", nil},
		{"not JSON", "cannot be read as a partial batch response", []string{"response 202"}},
		{"stream", "streamed", []string{"response 403"}},
		{"header only", "Kind.Of: plain text", []string{"error 202"}},
		{"paths", "", []string{"nothing 404", "error 403", "response 202"}},
		{"host", "", []string{"response 403", "response 202"}},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			p, j := begin(t, worker(tc.mode))
			for range 2 {
				err := invoke(t, p, "a")
				if tc.fails == "" && err != nil || tc.fails != "" && (err == nil || !strings.Contains(err.Error(), tc.fails)) {
					t.Fatalf("got %v, want %q; log %s", err, tc.fails, j)
				}
			}
			for _, s := range tc.said {
				functest.Eventually(t, "the worker was told "+s, func() bool {
					return strings.Contains(strings.ReplaceAll(j.String(), `\"`, `"`), s)
				})
			}
		})
	}
}

// A worker that answers and does not ask again is replaced, and so is one that never asks.
func TestSilentWorkers(t *testing.T) {
	p, _ := pool(t, worker("silent"), runtime.WithInitTimeout(200*time.Millisecond), runtime.WithStartBackoff(time.Minute))
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "did not ask for an invocation within 200ms") {
		t.Errorf("Start says %v", err)
	}
	p, j := begin(t, worker("no more"), runtime.WithInitTimeout(4*time.Second))
	for range 2 {
		if err := invoke(t, p, "a"); err != nil {
			t.Fatal(err, j)
		}
	}
	if s := p.Status(); s.Starts != 2 && s.Starts != 3 {
		t.Errorf("%d processes were started", s.Starts)
	}
}

// A worker that exits before it asks for work is not restarted in a tight loop.
func TestQuits(t *testing.T) {
	p, _ := pool(t, worker("quit"), runtime.WithStartBackoff(time.Minute))
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 0") {
		t.Errorf("Start says %v", err)
	}
	if err := invokeBriefly(t, p); err == nil {
		t.Error("an invocation succeeded")
	}
	if s := p.Status(); s.Starts != 1 || s.State != "Failing" || time.Until(s.NextStart) < 30*time.Second {
		t.Errorf("status %+v", s)
	}
}

func invokeBriefly(t *testing.T, p *runtime.Pool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	return p.Handle(ctx, esmtest.Event("t", esmtest.Values("a")...))
}

func TestGo(t *testing.T) {
	p, _ := begin(t, worker("lambda"))
	r := esmtest.Invoke(t, mapping(0), p.Handle, esmtest.Values("ok", "item")...)
	if len(r.Dropped) != 1 || r.Dropped[0].Records[0].Offset != 1 {
		t.Errorf("dropped %+v, %v", r.Dropped, r.Err)
	}
	if fe, ok := errors.AsType[*function.Error](invoke(t, p, "fail 3")); !ok || fe.Type != "errorString" || fe.Message != "bad record 3" {
		t.Errorf("%#v", fe)
	}
	if fe, ok := errors.AsType[*function.Error](invoke(t, p, "panic oh")); !ok || fe.Message != "oh" || len(fe.StackTrace) == 0 {
		t.Errorf("%#v", fe)
	}
	if err := invoke(t, p, "ok"); err != nil { // the panic ended the process
		t.Error(err)
	}
}

// This takes as long as starting a JVM four times.
func TestJava(t *testing.T) {
	java, classes := functest.Java(t, filepath.Join(testdata(t), "App.java"))
	p, j := begin(t, runtime.Config{FunctionName: "orders", Dir: testdata(t), Timeout: time.Minute,
		Command: []string{java, "-XX:TieredStopAtLevel=1", "-cp", classes, "com.amazonaws.services.lambda.runtime.api.client.AWSLambda", "App::handle"}})
	r := esmtest.Invoke(t, mapping(0), p.Handle, esmtest.Values("ok", "item", "print hello")...)
	if len(r.Dropped) != 1 || r.Dropped[0].Records[0].Offset != 1 || r.Attempts != 1 {
		t.Errorf("%d attempts, dropped %+v, %v", r.Attempts, r.Dropped, r.Err)
	}
	// An exception is an answer: the worker lives on.
	for range 2 {
		if fe, ok := errors.AsType[*function.Error](invoke(t, p, "fail 3")); !ok || fe.Type != "java.lang.IllegalStateException" || fe.Message != "bad record 3" || len(fe.StackTrace) == 0 {
			t.Errorf("%#v", fe)
		}
	}
	if s := p.Status(); s.Starts != 1 || s.Crashes != 0 {
		t.Errorf("status %+v", s)
	}
	// After an error of the virtual machine the client answers and then ends its process.
	if fe, ok := errors.AsType[*function.Error](invoke(t, p, "recurse")); !ok || fe.Type != "java.lang.StackOverflowError" {
		t.Errorf("%#v", fe)
	}
	if fe, ok := errors.AsType[*function.Error](invoke(t, p, "exit 3")); !ok || fe.Type != "Runtime.ExitError" {
		t.Errorf("%#v", fe)
	}
	if err := invoke(t, p, "ok"); err != nil {
		t.Error(err)
	}
	functest.Eventually(t, "the line is logged", func() bool { return strings.Contains(j.String(), "hello") })
}

func TestNode(t *testing.T) {
	node, ric := functest.Node(t)
	p, j := begin(t, runtime.Config{FunctionName: "orders", Command: []string{node, ric, "app.handler"}, Dir: testdata(t), Timeout: time.Minute})
	r := esmtest.Invoke(t, mapping(0), p.Handle, esmtest.Values("ok", "item", "print hello")...)
	if len(r.Dropped) != 1 || r.Dropped[0].Records[0].Offset != 1 || r.Attempts != 1 {
		t.Errorf("%d attempts, dropped %+v, %v", r.Attempts, r.Dropped, r.Err)
	}
	if fe, ok := errors.AsType[*function.Error](invoke(t, p, "fail 3")); !ok || fe.Type != "TypeError" || fe.Message != "bad record 3" || len(fe.StackTrace) == 0 {
		t.Errorf("%#v", fe)
	}
	for value, kind := range map[string]string{"die": "Runtime.ExitError", "big 10000000": "Function.ResponseSizeTooLarge"} {
		if fe, ok := errors.AsType[*function.Error](invoke(t, p, value)); !ok || fe.Type != kind {
			t.Errorf("%s: %#v", value, fe)
		}
		if err := invoke(t, p, "ok"); err != nil {
			t.Errorf("after %s: %v", value, err)
		}
	}
	functest.Eventually(t, "the line is logged", func() bool { return strings.Contains(j.String(), "hello") })
}

// The port only accepts requests of its worker's process group, and none of web pages.
func TestPort(t *testing.T) {
	p, j := begin(t, worker("plain"))
	address := addressOf(t, p)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for name, change := range map[string]func(*http.Request){
		"a stranger": func(*http.Request) {},
		"host":       func(r *http.Request) { r.Host = "localhost" },
		"origin":     func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		req, _ := http.NewRequest(http.MethodGet, "http://"+address+"/2018-06-01/runtime/invocation/next", http.NoBody)
		change(req)
		r, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if r.StatusCode != http.StatusForbidden || !bytes.Contains(body, []byte("Forbidden")) {
			t.Errorf("%s: %d %s", name, r.StatusCode, body)
		}
	}
	// Another process of the same user is rejected too.
	if curl, err := exec.LookPath("curl"); err == nil {
		out, _ := exec.Command(curl, "-s", "-m", "5", "http://"+address+"/2018-06-01/runtime/invocation/next").CombinedOutput()
		if !bytes.Contains(out, []byte("process group")) {
			t.Errorf("curl got %s", out)
		}
	}
	if err := invoke(t, p, "a"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(j.String(), "was refused"); n < 3 {
		t.Errorf("%d refusals are logged", n)
	}
	p, _ = begin(t, worker("plain"), runtime.WithAnyPeer())
	r, err := client.Post("http://"+addressOf(t, p)+"/2018-06-01/runtime/nothing", "", http.NoBody)
	if err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("with WithAnyPeer: %v, %v", r, err)
	}
	if r != nil {
		_ = r.Body.Close()
	}
}

// A client with an IPv6 socket is recognized too, although its address is an IPv4 address.
func TestDualStack(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Skip("this system has no IPv6 sockets:", err)
	}
	_ = unix.Close(fd)
	p, j := begin(t, worker("dual stack"))
	if err := invoke(t, p, "a"); err != nil {
		t.Error(err, j)
	}
}

// A process that the worker started may act for it, like a program behind a shell.
func TestBehindShell(t *testing.T) {
	if _, err := exec.LookPath("/bin/sh"); err != nil {
		t.Skip("needs /bin/sh")
	}
	c := worker("plain")
	c.Command = []string{"/bin/sh", "-c", os.Args[0] + "; exit 1"}
	p, j := begin(t, c)
	if err := invoke(t, p, "a"); err != nil {
		t.Error(err, j)
	}
}

// addressOf reads the address of a worker's port from its environment.
func addressOf(t *testing.T, p *runtime.Pool) string {
	t.Helper()
	env, err := os.ReadFile("/proc/" + itoa(p.Status().Workers[0].PID) + "/environ")
	if err != nil {
		t.Skip("needs /proc")
	}
	for v := range strings.SplitSeq(string(env), "\x00") {
		if a, ok := strings.CutPrefix(v, "AWS_LAMBDA_RUNTIME_API="); ok {
			if _, _, err := net.SplitHostPort(a); err != nil {
				t.Fatal(err)
			}
			return a
		}
	}
	t.Fatal("the worker has no AWS_LAMBDA_RUNTIME_API")
	return ""
}
