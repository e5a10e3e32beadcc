//go:build cgo

package confluent

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

func testConfig() driver.Config {
	return driver.Config{BootstrapServers: []string{"127.0.0.1:1", "127.0.0.1:2"}, GroupID: "g", Topics: []string{"t"},
		FetchMaxBytes: 200 << 20, BufferBytes: 64 << 20, SessionTimeout: 45 * time.Second, Logger: slog.New(slog.DiscardHandler)}
}

func TestConfigMap(t *testing.T) {
	config := testConfig()
	m, err := configMap(config, map[string]any{"fetch.min.bytes": 7, "linger": time.Second, "queued.min.messages": int64(5)},
		newLogPump(config.Logger))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]kafka.ConfigValue{
		"bootstrap.servers":             "127.0.0.1:1,127.0.0.1:2",
		"partition.assignment.strategy": "cooperative-sticky",
		"enable.auto.commit":            false,
		"enable.auto.offset.store":      false,
		"auto.offset.reset":             "error",
		"enable.partition.eof":          true,
		"check.crcs":                    true,
		"isolation.level":               "read_committed",
		"session.timeout.ms":            45000,
		"queued.max.messages.kbytes":    32 << 10,
		"queued.min.messages":           "5",
		"fetch.min.bytes":               7,
		"linger":                        1000,
		"receive.message.max.bytes":     201 << 20,
	} {
		if got := (*m)[key]; got != want {
			t.Errorf("%s = %v (%T), want %v", key, got, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	properties := map[string]any{"go.events.channel.enable": true, "topic.auto.offset.reset": "latest"}
	for key := range Reserved() {
		if !strings.HasSuffix(key, ".") {
			properties[key] = "x"
		}
	}
	_, err := Driver(WithConfig(properties)).Open(testConfig(), nil)
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.KindInvalidConfig {
		t.Fatalf("Open: %v", err)
	}
	for key := range properties {
		if !strings.Contains(err.Error(), `"`+key+`"`) {
			t.Errorf("%s is not refused by name: %v", key, err)
		}
	}
	for name, change := range map[string]func(*driver.Config){
		"BootstrapServers": func(c *driver.Config) { c.BootstrapServers = nil },
		"GroupID":          func(c *driver.Config) { c.GroupID = "" },
		"Topics":           func(c *driver.Config) { c.Topics = nil },
		"^(":               func(c *driver.Config) { c.Topics = []string{"^("} },
		"session.timeout.ms": func(c *driver.Config) {
			c.SessionTimeout, c.MaxPollInterval = time.Minute, time.Second
		},
	} {
		config := testConfig()
		change(&config)
		if _, err := Driver().Open(config, nil); err == nil || !strings.Contains(err.Error(), name) || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Driver(WithConfig(map[string]any{"no.such.key": 1})).Open(testConfig(), nil); !errors.As(err, &e) ||
		e.Kind != driver.KindInvalidConfig || !strings.Contains(err.Error(), "no.such.key") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestLogPump(t *testing.T) {
	var out bytes.Buffer
	pump := newLogPump(slog.New(slog.NewTextHandler(&out, nil)))
	pump.start()
	for level := range 8 {
		pump.events <- kafka.LogEvent{Name: "n", Tag: "TAG", Message: fmt.Sprint("m", level), Level: level}
	}
	// Lines that differ only in times and counts are the same line, written once a minute.
	for i := range 5 {
		pump.events <- kafka.LogEvent{Name: "n", Tag: "TAG", Message: fmt.Sprintf("repeated (after %dms in state UP, %d identical error(s) suppressed)", 300+i, i), Level: 3}
	}
	pump.events <- kafka.LogEvent{Name: "n", Tag: "TAG", Message: "repeated (after 7ms in state DOWN)", Level: 3}
	for _, of := range []string{"[thrd:b:9092/bootstrap]: b:9092/bootstrap: ", "[thrd:b:9092/1]: b:9092/1: ", "[thrd:GroupCoordinator]: GroupCoordinator: b:9092: "} {
		pump.events <- kafka.LogEvent{Name: "n", Tag: "FAIL", Message: of + "Connect to b:9092 failed", Level: 3}
		pump.events <- kafka.LogEvent{Name: "n", Tag: "FAIL", Message: of + "Disconnected", Level: 6}
	}
	pump.stop()
	if n := strings.Count(out.String(), "repeated"); n != 2 {
		t.Errorf("%d lines of what is repeated, want one in each state", n)
	}
	if n := strings.Count(out.String(), "Connect to"); n > 2 || strings.Contains(out.String(), "Disconnected") {
		t.Errorf("connections of one broker have %d lines:\n%s", n, out.String())
	}
	for level, want := range map[string]int{"ERROR": 7, "WARN": 1, "INFO": 2, "DEBUG": 0} {
		if got := strings.Count(out.String(), "level="+level+" "); got != want {
			t.Errorf("%d lines of %s, want %d", got, level, want)
		}
	}
	if pump.level() != 6 {
		t.Errorf("level %d", pump.level())
	}
}

func TestParseMember(t *testing.T) {
	good := "CGMDv2:\x05\x00\x00\x00group\x00member\x00\x01"
	if id, generation := parseMember([]byte(good)); id != "member" || generation != 5 {
		t.Errorf("%q, %d", id, generation)
	}
	for i := range good[:len(good)-2] {
		if id, generation := parseMember([]byte(good[:i])); id != "" || generation != -1 {
			t.Errorf("cut at %d: %q, %d", i, id, generation)
		}
	}
}

func TestReportsOnce(t *testing.T) {
	r, now := newReported(), time.Now()
	down := &driver.Error{Kind: driver.KindUnavailable, Err: kafka.NewError(kafka.ErrTransport, "a", false)}
	all := &driver.Error{Kind: driver.KindUnavailable, Err: kafka.NewError(kafka.ErrAllBrokersDown, "b", false)}
	topic := &driver.Error{Kind: driver.KindUnknownTopic, TopicPartition: tp("t", -1)}
	check := func(what string, e *driver.Error, want bool) {
		t.Helper()
		if got := r.first(e, now); got != want {
			t.Errorf("%s: %t", what, got)
		}
	}
	check("the first", down, true)
	check("its repetition", down, false)
	check("its summary", all, false)
	now = now.Add(59 * time.Second)
	check("a late repetition", down, false)
	r.data("other")
	check("one broker of several, still", down, false)
	r.data("other")
	check("all of them, after data", all, true)
	now = now.Add(2 * time.Minute)
	check("after quiet", down, true)
	check("a topic", topic, true)
	r.data("other")
	check("the topic again", topic, false)
	r.data("t")
	check("the topic after its data", topic, true)
	r.joined([]driver.TopicPartition{tp("t", 0)})
	check("the topic after an assignment", topic, true)
}
