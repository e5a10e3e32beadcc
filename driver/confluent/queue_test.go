//go:build cgo && linux

package confluent

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// If this fails after an update of confluent-kafka-go, records are read one by one: correct, but half as fast.
func TestTheQueueIsRead(t *testing.T) {
	client, err := kafka.NewConsumer(&kafka.ConfigMap{"group.id": "g", "bootstrap.servers": "localhost:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	q := newQueue(client, slog.New(slog.DiscardHandler))
	if q == nil {
		t.Fatal("no queue: the client has other fields, or librdkafka's functions are not linked in")
	}
	q.free()
	if d := Driver().(driver.Describer).Describe(); d != (driver.Description{Client: "librdkafka", Version: "2.11.1", Reading: "queue"}) {
		t.Errorf("%+v", d)
	}
	if d := Driver(WithClientPoll()).(driver.Describer).Describe(); d.Reading != "Poll" {
		t.Errorf("with WithClientPoll: %+v", d)
	}
}

func TestHandlesOfAnotherKindAreNotTaken(t *testing.T) {
	type _Ctype_struct_rd_kafka_s struct{}
	for name, c := range map[string]struct {
		value any
		want  bool
	}{
		"another struct": {new(bytes.Buffer), false},
		"no pointer":     {7, false},
		"it":             {new(_Ctype_struct_rd_kafka_s), true},
	} {
		if got := pointerTo(reflect.ValueOf(c.value), "rd_kafka_s"); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The structs are compared with the header that comes with the client: if they do not compile together, they are not
// those of the linked library.
func TestTheStructsAreLibrdkafkas(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/confluentinc/confluent-kafka-go/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	vendored := filepath.Join(strings.TrimSpace(string(dir)), "kafka", "librdkafka_vendor")
	check := func(dir string) ([]byte, error) {
		return exec.Command("cc", "-std=gnu11", "-fsyntax-only", "-DESM_NEEDS_HEADER", "-I", vendored,
			filepath.Join(dir, "queue_check_linux.c")).CombinedOutput()
	}
	if out, err := check("."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	other := t.TempDir()
	for _, name := range []string{"queue_check_linux.c", "queue_structs.h"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte("	int64_t offset;\n	void *_private;"), []byte("	void *_private;\n	int64_t offset;"), 1)
		if err := os.WriteFile(filepath.Join(other, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := check(other); err == nil || !strings.Contains(string(out), "rd_kafka_message_t.offset") {
		t.Errorf("a field that is elsewhere passes: %s", out)
	}
}

func TestAnUntestedLibraryIsPolled(t *testing.T) {
	was := testedVersions
	defer func() { testedVersions = was }()
	testedVersions = slices.Clone(was[:0])
	client, err := kafka.NewConsumer(&kafka.ConfigMap{"group.id": "g", "bootstrap.servers": "localhost:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	var log bytes.Buffer
	if q := newQueue(client, slog.New(slog.NewTextHandler(&log, nil))); q != nil || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("the queue of an untested version is read, or said in %q", log.String())
	}
	if d := Driver().(driver.Describer).Describe(); d.Reading != "Poll" {
		t.Errorf("%+v", d)
	}
}
