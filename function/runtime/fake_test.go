//go:build unix

package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/function/runtime"
)

// The test binary is also the worker of some tests: a Go function, or a runtime that violates the protocol.
func TestMain(m *testing.M) {
	switch mode := os.Getenv("ESM_TEST_WORKER"); mode {
	case "":
		goleak.VerifyTestMain(m)
	case "parent":
		parent()
	case "lambda":
		lambda.Start(goFunction)
	default:
		odd(mode)
	}
}

// goFunction is an unchanged Go function.
func goFunction(e esm.KafkaEvent) (map[string]any, error) {
	var failures []any
	for _, records := range e.Records {
		for _, r := range records {
			switch verb, rest, _ := strings.Cut(string(r.Value), " "); verb {
			case "fail":
				return nil, fmt.Errorf("bad record %s", rest)
			case "panic":
				panic(rest)
			case "item":
				failures = append(failures, map[string]any{"itemIdentifier": r.ItemID()})
			case "print":
				fmt.Println(rest)
			}
		}
	}
	return map[string]any{"batchItemFailures": failures}, nil
}

// worker is the configuration that runs this binary in a mode.
func worker(mode string) runtime.Config {
	return runtime.Config{FunctionName: "odd", Command: []string{os.Args[0]}, Timeout: time.Minute, Environment: map[string]string{"ESM_TEST_WORKER": mode}}
}

var api = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"

func next() (id string) {
	r, err := http.Get(api + "invocation/next")
	if err != nil {
		os.Exit(9)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		fmt.Println("next was answered with", r.StatusCode)
		os.Exit(8)
	}
	return r.Header.Get("Lambda-Runtime-Aws-Request-Id")
}

func post(path, body string, headers ...string) int {
	req, _ := http.NewRequest(http.MethodPost, api+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if req.Header.Get("Host") != "" {
		req.Host = req.Header.Get("Host")
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println("post failed:", err)
		return 0
	}
	text, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	fmt.Printf("%s %d %s\n", path[strings.LastIndex(path, "/")+1:], r.StatusCode, bytes.TrimSpace(text))
	return r.StatusCode
}

// dialDualStack connects to an IPv4 address with an IPv6 socket, as Java does.
func dialDualStack(_ context.Context, _, address string) (net.Conn, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: to.Port, Addr: [16]byte(to.IP.To16())}); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	return net.FileConn(file)
}

// odd is a runtime that violates the protocol.
func odd(mode string) {
	if mode == "silent" {
		<-time.After(time.Hour) // a bare select would end a program without cgo as a deadlock
	}
	if mode == "quit" {
		os.Exit(0)
	}
	if mode == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	}
	if mode == "dual stack" {
		http.DefaultClient.Transport = &http.Transport{DialContext: dialDualStack}
	}
	for {
		id := next()
		switch mode {
		case "twice":
			post("invocation/"+id+"/response", `null`)
			post("invocation/"+id+"/response", `{"batchItemFailures":[{}]}`)
			post("invocation/"+id+"/error", `{}`)
		case "other id":
			post("invocation/00000000-0000-4000-8000-000000000000/response", `null`)
			post("invocation/"+id+"/error", `{"errorType":"Mine","errorMessage":"after another id"}`)
		case "no answer":
			next()
		case "no more":
			post("invocation/"+id+"/response", `null`)
			<-time.After(time.Hour) // a bare select would end a program without cgo as a deadlock
		case "not JSON":
			post("invocation/"+id+"/response", `{"batchItemFailures":[`)
		case "stream":
			post("invocation/"+id+"/response", `null`, "Lambda-Runtime-Function-Response-Mode", "streaming")
		case "header only":
			post("invocation/"+id+"/error", `plain text`, "Lambda-Runtime-Function-Error-Type", "Kind.Of")
		case "paths":
			post("nothing", ``)
			post("invocation/"+id+"/nothing", ``)
			post("init/error", `{}`)
			post("invocation/"+id+"/response", `null`)
		case "host":
			post("invocation/"+id+"/response", `{"batchItemFailures":[{}]}`, "Host", "evil.example:80")
			post("invocation/"+id+"/response", `{"batchItemFailures":[{}]}`, "Origin", "http://evil.example")
			post("invocation/"+id+"/response", `null`)
		case "hang":
			<-time.After(time.Hour) // a bare select would end a program without cgo as a deadlock
		default:
			post("invocation/"+id+"/response", `null`)
		}
	}
}
