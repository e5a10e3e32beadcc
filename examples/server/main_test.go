package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestServer creates a mapping with the command that the program prints, and finds it in the API and in the console.
func TestServer(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", filepath.Join(t.TempDir(), "mappings"), out) }()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	text := make([]byte, 4096)
	n, err := said.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://[0-9.:]+`).FindString(string(text[:n]))
	source := regexp.MustCompile(`'(.*)'`).FindStringSubmatch(string(text[:n]))
	if url == "" || source == nil {
		t.Fatal("it says", string(text[:n]))
	}
	const path = "/2015-03-31/event-source-mappings"
	response, err := http.Post(url+path, "application/json", strings.NewReader(`{"FunctionName":"orders","Topics":["orders"],"SelfManagedEventSource":`+source[1]+`}`))
	if err != nil {
		t.Fatal(err)
	}
	var mapping struct{ UUID, LastProcessingResult, Message string }
	if err := json.NewDecoder(response.Body).Decode(&mapping); err != nil || response.StatusCode != http.StatusAccepted {
		t.Fatal(response.Status, err, mapping.Message)
	}
	_ = response.Body.Close()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for mapping.LastProcessingResult != "OK" {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it stays %+v", mapping)
		}
		if err := json.Unmarshal([]byte(get(t, url+path+"/"+mapping.UUID)), &mapping); err != nil {
			t.Fatal(err)
		}
	}
	if page := get(t, url+"/console/"); !strings.Contains(page, mapping.UUID) {
		t.Error("the console does not show it:", page)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
