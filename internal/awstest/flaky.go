package awstest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Fault is what happens to one request.
type Fault struct {
	// Status is an answer instead of the service's, with Body.
	Status int
	Body   string
	// Lost lets the service handle the request but drops the answer.
	Lost bool
}

// Flaky is a configuration's HTTP client with faults. It is safe for concurrent use.
type Flaky struct {
	mu     sync.Mutex
	faults []Fault
	count  int
	inner  aws.HTTPClient
}

// WithFaults returns the configuration with an HTTP client that applies the faults to the next requests, one each.
func WithFaults(t testing.TB, cfg aws.Config, faults ...Fault) (aws.Config, *Flaky) {
	t.Helper()
	f := &Flaky{faults: faults, inner: cfg.HTTPClient}
	cfg.HTTPClient = f
	return cfg, f
}

// Requests returns the number of requests so far.
func (f *Flaky) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

var errLost = errors.New("the answer was lost")

// Do sends a request, or applies a fault to it.
func (f *Flaky) Do(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.count++
	var fault Fault
	if len(f.faults) > 0 {
		fault, f.faults = f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	if fault.Status != 0 {
		return &http.Response{StatusCode: fault.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte(fault.Body)))}, nil
	}
	response, err := f.inner.Do(r)
	if err == nil && fault.Lost {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return nil, errLost
	}
	return response, err
}
